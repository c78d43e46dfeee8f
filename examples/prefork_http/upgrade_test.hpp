// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>

namespace prefork_http {

/// The programs that a server is upgraded to, besides its own.
struct versions {
    std::string flawed; ///< is ready, and then dies
    std::string other;  ///< with another layout of segments; empty: none
};

/// Upgrades a server under its clients, also to a file that is no server and to a version that dies. Throws if a request is lost, a
/// connection ends, or the service manager is told anything but the truth. For ctest.
void upgrade_test(const versions& tested);

} // namespace prefork_http
