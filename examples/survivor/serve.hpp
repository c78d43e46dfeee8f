// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "session.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/awaitable.hpp>

namespace survivor {

/// Waits in the standby queue for the session's connection, and goes on where the last owner has left it, until the client ends it.
boost::asio::awaitable<void> serve_in_turn(sharedsock::stream& stream, session& progress);

} // namespace survivor
