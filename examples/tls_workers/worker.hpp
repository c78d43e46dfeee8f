// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "certificate.hpp"

#include <sharedsock/shared_socket.hpp>

namespace tls_workers {

/// Accepts TLS connections in turn with the other workers, and answers each line with "<pid>: <line>". A line "bye" is answered
/// and ends the connection. Runs until the process is killed.
int work(sharedsock::shared_socket&& listener, const identity& self);

} // namespace tls_workers
