// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>

namespace prefork_http {

/// Upgrades a server under its clients, also to a file that is no server and to `flawed`, a program that is ready and then dies.
/// Throws if a request is lost, a connection ends, or the service manager is told anything but the truth. For ctest.
void upgrade_test(const std::string& flawed);

} // namespace prefork_http
