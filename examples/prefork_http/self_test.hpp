// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "server.hpp"

namespace prefork_http {

/// Serves 200 requests of its own, or more until each worker has answered one, kills a worker when half of them are answered, and
/// throws if a check fails. For ctest.
void self_test(options wanted);

} // namespace prefork_http
