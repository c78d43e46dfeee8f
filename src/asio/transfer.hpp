// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <sharedsock/asio/detail/io_operation.hpp>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// One try to receive or send what an operation wants, never waiting; the results are in the operation. False: not ready.
///
/// It keeps the rules of `shared_socket`'s calls (ERR-5, STATE-9, EVT-14), for the owner of the registration: no event of it waits
/// for such a call, so nothing is re-enabled.
///
/// `in_delivery`: a delivery of the owner is under way, and Asio's lock of the descriptor is held, under which no registration may
/// be called. So the library tells no process then that an urgent byte has moved to the slot: the owner has not nominated OOB, and
/// the end of the delivery rings a process that has taken over meanwhile.
bool try_transfer(io_operation& operation, handle& through, bool in_delivery) noexcept;

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
