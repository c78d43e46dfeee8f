// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"

#include <sharedsock/shared_socket.hpp>

#include <memory>

/// The calls of `shared_socket` that need more than the descriptor and the slot, for pending operations: those run inside a
/// delivery of the socket's owner and with locks of its reactor held, where nothing may call a local registration or an attachment
/// back. The operation waits; these calls never do.
namespace sharedsock::detail {

/// As `shared_socket::accept`; null with `ec`. The new socket inherits no registration. EAGAIN when no connection waits.
std::shared_ptr<handle> accept_in_delivery(handle& listener, membership& self, error_code& ec);

/// As `shared_socket::connect`: begins an attempt or, when it has `begun`, asks what came of it. EAGAIN while it is under way.
void connect_in_delivery(handle& h, membership& self, const socket_address& address, bool begun, error_code& ec);

} // namespace sharedsock::detail
