// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The cost of adopting a socket where this process has many.
#include "attach/handle.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

int plain_socket() { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

// The least time of so many runs: the load of the machine only adds to it.
double microseconds_of_adopting(const ss::segment& segment, std::size_t count)
{
    std::vector<double> each;
    for (std::size_t i = 0; i < count; ++i) {
        const int descriptor = plain_socket();
        const auto before    = std::chrono::steady_clock::now();
        const auto adopted   = ss::shared_socket::adopt(segment, descriptor);
        each.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - before).count());
    }
    return *std::min_element(each.begin(), each.end());
}

} // namespace

TEST_CASE("a socket of which this process has a handle is not adopted, however it got the descriptor", "[fault-106]")
{
    test::scratch_segment segment;
    test::connection pair(segment);
    const int copy = ::dup(pair.socket.native_handle());
    ss::error_code ec;
    CHECK_FALSE(ss::shared_socket::adopt(segment, copy, ec).is_open());
    CHECK(ec == ss::errc::already_shared);
    ss::shared_socket second = ss::shared_socket::redeem(segment, pair.socket.duplicate(segment->self()));
    pair.socket.close();
    CHECK_FALSE(ss::shared_socket::adopt(segment, copy, ec).is_open()); // another handle is left
    CHECK(ec == ss::errc::already_shared);
    second.close();
    CHECK(ss::shared_socket::adopt(segment, copy, ec).is_open());
    CHECK_FALSE(ec);
}

TEST_CASE("adopting a socket costs the same with ten open handles and with eighteen thousand", "[G12][fault-106]")
{
    constexpr std::size_t many = 18'000;
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    if (before.rlim_max < many + 1'000) {
        WARN("skipped: this process may not have so many descriptors");
        return;
    }
    const rlimit raised{before.rlim_max, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
    {
        test::scratch_segment segment({.sockets = 20'000, .processes = 4});
        std::vector<ss::shared_socket> open;
        while (open.size() < 10)
            open.push_back(ss::shared_socket::adopt(segment, plain_socket()));
        const double of_ten = microseconds_of_adopting(segment, 400);
        while (open.size() < many)
            open.push_back(ss::shared_socket::adopt(segment, plain_socket()));
        const double of_many = microseconds_of_adopting(segment, 400);
        INFO("at ten: " << of_ten << " us, at eighteen thousand: " << of_many << " us");
        // A walk over all of them takes 18 000 times what one of them does, in another page each: more than 25 us.
        CHECK(of_many < of_ten + 20);
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
}
