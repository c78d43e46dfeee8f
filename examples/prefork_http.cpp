// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A small HTTP server of several processes that share one listener, on Asio and Beast. They accept in turn; a worker that dies
// takes its own connections with it and no others, and the other workers go on. SIGUSR2 replaces the running program by the one
// that is installed now, which gets its connections.
#include "prefork_http/self_test.hpp"
#include "prefork_http/server.hpp"
#include "prefork_http/upgrade_test.hpp"

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

#include <getopt.h>

namespace {

constexpr const char* usage = R"(usage: prefork_http [option...]

  --port N          of the loopback interface; 0: any that is free, it is printed; 8080 if not given
  --workers N       processes that serve, 1 to 100; 4 if not given
  --segment NAME    of the shared memory; if not given, one with the pid in it
  --directory D     where the segment lives; /dev/shm if not given
  --quiet           print the address, and the process that serves, only
  --self-test       serve requests of its own, kill a worker meanwhile, check, end
  --self-test-upgrade FLAWED
                    upgrade a server under its clients, check, end; FLAWED is a version that dies
  --other FILE      for that test: a version with another layout of segments
  --help            this text

GET / tells which process answers, GET /stats what each has done. SIGTERM and SIGINT end the server in order. SIGHUP replaces the
workers. SIGUSR2 starts the program that has the name of this one now, which takes the listener and the connections.
)";

unsigned long number(const char* text, unsigned long least, unsigned long most)
{
    std::size_t read          = 0;
    const unsigned long value = std::stoul(text, &read);
    if (text[read] != 0 || value < least || value > most) throw std::out_of_range(text);
    return value;
}

enum class action { serve, self_test, upgrade_test, help };

action understand(int count, char** words, prefork_http::options& wanted, prefork_http::versions& tested)
{
    const option known[] = {{"port", required_argument, nullptr, 'p'},
                            {"workers", required_argument, nullptr, 'w'},
                            {"segment", required_argument, nullptr, 's'},
                            {"directory", required_argument, nullptr, 'd'},
                            {"quiet", no_argument, nullptr, 'q'},
                            {"self-test", no_argument, nullptr, 't'},
                            {"help", no_argument, nullptr, 'h'},
                            {"other", required_argument, nullptr, 'o'},
                            {"self-test-upgrade", required_argument, nullptr, 'u'},
                            {}};
    action what          = action::serve;
    for (int one = 0; (one = ::getopt_long(count, words, "", known, nullptr)) != -1;) {
        switch (one) {
        case 'p':
            wanted.port = static_cast<std::uint16_t>(number(optarg, 0, 65'535));
            break;
        case 'w':
            wanted.workers = number(optarg, 1, 100);
            break;
        case 's':
            wanted.segment = optarg;
            break;
        case 'd':
            wanted.directory = optarg;
            break;
        case 'q':
            wanted.quiet = true;
            break;
        case 't':
            what = action::self_test;
            break;
        case 'u':
            tested.flawed = optarg;
            what          = action::upgrade_test;
            break;
        case 'o':
            tested.other = optarg;
            break;
        case 'h':
            return action::help;
        default:
            throw std::invalid_argument("option");
        }
    }
    if (optind != count) throw std::invalid_argument(words[optind]);
    return what;
}

} // namespace

int main(int count, char** words)
{
    prefork_http::options wanted;
    prefork_http::versions tested;
    action what{};
    try {
        what = understand(count, words, wanted, tested);
    } catch (const std::exception&) {
        std::cerr << usage;
        return 2;
    }
    try {
        if (what == action::help) {
            std::cout << usage;
        } else if (what == action::self_test) {
            wanted.port = 0;
            prefork_http::self_test(wanted);
        } else if (what == action::upgrade_test) {
            prefork_http::upgrade_test(tested);
        } else {
            prefork_http::server server(wanted);
            server.start();
            server.run();
        }
        return 0;
    } catch (const std::exception& failure) {
        std::cerr << "prefork_http: " << failure.what() << std::endl;
        return 1;
    }
}
