// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "handle.hpp"

#include <sharedsock/shared_socket.hpp>

namespace sharedsock::detail {

/// Makes a shared socket of what accept4(2) has returned for `listener`: a slot with the listener's properties (STATE-13), and
/// the listener's registration if this process owns that (REG-15). Without room for it the connection is closed.
shared_socket share_accepted(handle& listener, membership& self, unique_fd descriptor, error_code& ec);

} // namespace sharedsock::detail
