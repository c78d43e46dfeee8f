// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A Winsock program: an event loop with WSAEventSelect that echoes, and hands every other connection to a child process with
// WSADuplicateSocket. echo_loop, server and worker would be the same on Windows, but for the include (net.hpp).
#include "self_test.hpp"
#include "server.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int count, char** arguments)
{
    const char* const first = count > 1 ? arguments[1] : "7007";
    if (std::strcmp(first, "--worker") == 0) return run_worker();
    if (std::strcmp(first, "--self-test") == 0) return self_test(arguments[0]);
    if (*first == '-') {
        std::printf("usage: winsock_echo [port [connections]] | --self-test\n");
        return 2;
    }
    return run_server(arguments[0], static_cast<unsigned short>(std::atoi(first)), count > 2 ? std::atoi(arguments[2]) : 0);
}
