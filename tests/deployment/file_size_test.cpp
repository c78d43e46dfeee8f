// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// RLIMIT_FSIZE: each call that makes a file larger says that the limit is too low. No process is killed by SIGXFSZ, and what a
// program does with that signal stays as it is.
#include "base/file_growth.hpp"
#include "base/new_fd.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/hand_over.hpp>
#include <sharedsock/prefork.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

constexpr std::size_t kib = 1024;

void limit_files_to(rlim_t bytes)
{
    const rlimit limit{bytes, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::system_error(errno, std::generic_category(), "RLIMIT_FSIZE");
}

std::string name_the_limit(const ss::error_code& ec)
{
    const bool does = ec == ss::errc::file_size_limited && ec == std::errc::file_too_large &&
                      ec.message().find("RLIMIT_FSIZE") != std::string::npos;
    return does ? "names the limit" : "said: " + ec.message();
}

int handled = 0;
void note_signal(int) { ++handled; }

bool is_pending()
{
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGXFSZ) == 1;
}

bool is_blocked()
{
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, SIGXFSZ) == 1;
}

void block()
{
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
}

// A growth that the kernel itself refuses, with the signal: `allocate` does not ask the limit first.
ss::error_code grow_too_far()
{
    const ss::detail::unique_fd file = ss::detail::new_fd::memory("grows", 0);
    return ss::detail::file_growth::allocate(file.get(), 0, 256 * kib);
}

} // namespace

TEST_CASE("making a segment above RLIMIT_FSIZE says which limit to raise, and kills no process", "[G11][fault-173]")
{
    const auto disposition = GENERATE(SIG_DFL, SIG_IGN, &note_signal);
    const bool unnamed     = GENERATE(false, true);
    const std::string name = test::unique_name();
    CHECK(test::in_child([&] {
              ::signal(SIGXFSZ, disposition);
              limit_files_to(64 * kib);
              ss::error_code ec;
              unnamed ? ss::segment::create_unnamed({}, ec) : ss::segment::create(name, {}, ec);
              return name_the_limit(ec) + (handled != 0 || is_pending() || is_blocked() ? ", and the signal is not as it was" : "");
          }) == "names the limit");
    ss::error_code none;
    CHECK_FALSE(ss::segment::remove(name, {}, true, none)); // nothing is left
}

TEST_CASE("a hand-over with more bytes than RLIMIT_FSIZE lets a memory have says so, and the socket stays", "[G11][fault-173]")
{
    CHECK(test::in_child([&] {
              test::scratch_segment home;
              test::connection pair(home);
              limit_files_to(1024 * kib);
              const auto bytes = test::carry_pattern(1, 4096 * kib);
              ss::error_code ec;
              ss::hand_over_unacknowledged(std::move(pair.socket), home->self(), {bytes, 1}, ec);
              if (!pair.socket.is_open()) return std::string("the socket is gone");
              return name_the_limit(ec);
          }) == "names the limit");
}

TEST_CASE("a supervisor under an RLIMIT_FSIZE below its table of loads says so", "[G11][fault-173]")
{
    CHECK(test::in_child([&] {
              limit_files_to(4 * kib);
              try {
                  ss::prefork::supervisor workers({.workers = 1}, [](ss::prefork::worker&) { return 0; });
              } catch (const ss::system_error& failure) {
                  return name_the_limit(failure.code());
              }
              return std::string("it was made");
          }) == "names the limit");
}

TEST_CASE("a process attaches to a segment that is larger than its RLIMIT_FSIZE, and fills it", "[fault-173]")
{
    test::scratch_segment home({.sockets = 512, .processes = 8});
    CHECK(test::in_child([&] {
              limit_files_to(16 * kib);
              const ss::segment here = ss::segment::open(home.name());
              std::vector<ss::shared_socket> all;
              for (int i = 0; i < 400; ++i)
                  all.push_back(ss::shared_socket::open(here, AF_INET, SOCK_DGRAM));
              return std::to_string(here.capacity().sockets.used) + " sockets";
          }) == "400 sockets");
}

TEST_CASE("SIGXFSZ of a growth is taken again, and a handler of the program's does not run", "[G11][fault-173]")
{
    CHECK(test::in_child([&] {
              ::signal(SIGXFSZ, note_signal);
              limit_files_to(64 * kib);
              const std::string said = name_the_limit(grow_too_far());
              return said + ", " + std::to_string(handled) + (is_pending() || is_blocked() ? ", mask changed" : "");
          }) == "names the limit, 0");
    CHECK(test::in_child([&] {
              limit_files_to(64 * kib);
              return name_the_limit(grow_too_far());
          }) == "names the limit");
}

TEST_CASE("a SIGXFSZ that was pending before a growth stays pending, and none is pending that was not", "[G11][fault-173]")
{
    const bool before = GENERATE(false, true);
    CHECK(test::in_child([&] {
              block();
              if (before) ::raise(SIGXFSZ);
              limit_files_to(64 * kib);
              const std::string said = name_the_limit(grow_too_far());
              return said + (is_pending() ? ", pending" : "") + (is_blocked() ? ", blocked" : "");
          }) == std::string("names the limit") + (before ? ", pending" : "") + ", blocked");
}
