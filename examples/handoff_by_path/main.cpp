// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An HTTP server of three processes. The front accepts and reads the head of a request; by its path it chooses one of two workers,
// and hands the connection over together with the bytes that it has read. When the next request of that connection belongs to the
// other worker, the connection goes on to that one, directly.
#include "self_test.hpp"

#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include <getopt.h>

namespace {

constexpr const char* usage = R"(usage: handoff_by_path [option...]

  --port N          of the loopback interface; 0: any that is free, it is printed; 8080 if not given
  --segment NAME    of the shared memory; if not given, one with the pid in it
  --without-carry   hand over the sockets without the bytes: requests get lost
  --self-test       serve requests of its own, and an upload of 100 MB by curl; check; end
  --help            this text

GET or PUT /a/... and /b/... tell which process answers, how often the connection has moved, and the SHA-256 of the body.
SIGTERM and SIGINT end the server in order.
)";

int run(int count, char** words)
{
    const option known[] = {{"port", required_argument, nullptr, 'p'},    {"segment", required_argument, nullptr, 's'},
                            {"without-carry", no_argument, nullptr, 'w'}, {"self-test", no_argument, nullptr, 't'},
                            {"help", no_argument, nullptr, 'h'},          {}};
    handoff::options wanted;
    bool testing = false;
    for (int one = 0; (one = ::getopt_long(count, words, "", known, nullptr)) != -1;) {
        if (one == 'p') wanted.port = static_cast<std::uint16_t>(std::stoul(optarg));
        if (one == 's') wanted.segment = optarg;
        if (one == 'w') wanted.with_carry = false;
        if (one == 't') testing = true;
        if (one == 'h' || one == '?') {
            std::cout << usage;
            return one == 'h' ? 0 : 2;
        }
    }
    if (testing) {
        handoff::self_test(wanted);
        return 0;
    }
    handoff::family all(wanted);
    std::cout << "http://" << to_string(all.address()) << "/a/ and /b/" << std::endl;
    sigset_t end; // blocked by the family
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    int signal = 0;
    ::sigwait(&end, &signal);
    return all.stop() ? 0 : 1;
}

} // namespace

int main(int count, char** words)
{
    try {
        return run(count, words);
    } catch (const std::exception& failure) {
        std::cerr << "handoff_by_path: " << failure.what() << std::endl;
        return 1;
    }
}
