// S of the conformance matrix, and one process more that looks at it.
#pragma once

#include "conformance/shared_connection.hpp"
#include "support/share.hpp"

#include <string>

namespace test {

/// S of the matrix with a third process, which has a handle too and only looks.
struct watched_connection : shared_connection {
    watched_connection() { REQUIRE(share(a, "h", c) == "ok"); }

    // The state of the socket that all processes can see.
    std::string state()
    {
        std::string all;
        for (const char* const asked :
             {"query h", "handles h", "blocking h", "option h keepalive", "option h linger", "local h", "peer h"})
            all += c.ask(asked) + "\n";
        return all;
    }

    peer c{segment.name()};
};

} // namespace test
