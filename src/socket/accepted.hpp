// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/socket_address.hpp>

#include <memory>

namespace sharedsock::detail {

/// accept4(2), which never blocks. `errc::lock_timeout`: on a lent descriptor (STATE-15), where another process is stopped in this
/// call.
unique_fd accept_now(handle& listener, membership& self, socket_address* peer, error_code& ec);

/// Makes a shared socket of what accept4(2) has returned for `listener`: a slot with the listener's properties (STATE-13), and
/// no registration. If there is no room for it, it closes the connection and returns null with `ec`.
std::shared_ptr<handle> share_accepted(handle& listener, membership& self, unique_fd descriptor, error_code& ec);

} // namespace sharedsock::detail
