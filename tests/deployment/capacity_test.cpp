// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A segment tells how much it can hold, and a process that wants more of an existing one can learn that.
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

std::string text(const ss::table_use& of) { return std::to_string(of.used) + "/" + std::to_string(of.total); }

} // namespace

TEST_CASE("a segment tells how many sockets, processes, handles and names it has and can have", "[fault-180]")
{
    test::scratch_segment home({.sockets = 100, .processes = 8, .handles = 150, .names = 40});
    CHECK(text(home->capacity().sockets) == "0/100");
    CHECK(text(home->capacity().processes) == "1/8");
    CHECK(text(home->capacity().handles) == "0/150");
    CHECK(text(home->capacity().names) == "0/40");
    {
        const ss::segment other = ss::segment::open(home.name());
        ss::shared_socket one   = ss::shared_socket::open(home, AF_INET, SOCK_STREAM);
        const auto second       = ss::shared_socket::redeem(other, one.duplicate(other.self()));
        home->publish("one", one);
        const ss::ticket waits = one.duplicate(other.self());
        for (const ss::segment_capacity& now : {home->capacity(), other.capacity()}) {
            CHECK(text(now.sockets) == "1/100");
            CHECK(text(now.processes) == "2/8");
            CHECK(text(now.handles) == "3/150");
            CHECK(text(now.names) == "1/40");
        }
        home->revoke(waits);
    }
    CHECK(text(home->capacity().sockets) == "0/100");
    CHECK(text(home->capacity().processes) == "1/8");
    CHECK(text(home->capacity().handles) == "0/150");
    CHECK(text(home->capacity().names) == "0/40");
}

TEST_CASE("capacities that are not given are those that the options promise", "[fault-180]")
{
    test::scratch_segment home({.sockets = 3'000, .processes = 10});
    CHECK(home->capacity().handles.total == 6'040);
    CHECK(home->capacity().names.total == 1'024);
    test::scratch_segment small({.sockets = 3, .processes = 10});
    CHECK(small->capacity().names.total == 3);
}

TEST_CASE("open_or_create of a segment that exists keeps its capacity, and tells it", "[fault-180]")
{
    test::scratch_segment home({.sockets = 64, .processes = 8});
    const ss::segment again = ss::segment::open_or_create(home.name(), {.sockets = 100'000, .processes = 100});
    CHECK(again.uuid() == home->uuid());
    CHECK(again.capacity().sockets.total == 64);
    CHECK(again.capacity().processes.total == 8);
}

TEST_CASE("a segment that holds less than options with full_capacity ask for is refused, and a larger one is not", "[fault-180]")
{
    test::scratch_segment home({.sockets = 64, .processes = 8, .handles = 200, .names = 32});
    const auto try_with = [&](ss::segment_options options) {
        options.full_capacity = true;
        ss::error_code ec;
        const ss::segment opened = ss::segment::open_or_create(home.name(), options, ec);
        CHECK(static_cast<bool>(opened) == !ec);
        ss::error_code same;
        (void)ss::segment::open(home.name(), options, same);
        CHECK(same == ec);
        return ec;
    };
    CHECK_FALSE(try_with({.sockets = 64, .processes = 8, .handles = 200, .names = 32}));
    CHECK_FALSE(try_with({.sockets = 10, .processes = 4, .handles = 20, .names = 10}));
    CHECK(try_with({.sockets = 65, .processes = 8, .handles = 200, .names = 32}) == ss::errc::segment_too_small);
    CHECK(try_with({.sockets = 64, .processes = 9, .handles = 200, .names = 32}) == ss::errc::segment_too_small);
    CHECK(try_with({.sockets = 64, .processes = 8, .handles = 201, .names = 32}) == ss::errc::segment_too_small);
    CHECK(try_with({.sockets = 64, .processes = 8, .handles = 200, .names = 33}) == ss::errc::segment_too_small);
    CHECK(home->processes().size() == 1);
}

TEST_CASE("more than 1024 names are published in a segment that is made for them, and the error of a full table names the option",
          "[fault-179]")
{
    test::scratch_segment usual({.sockets = 2'000, .processes = 4});
    ss::shared_socket one = ss::shared_socket::open(usual, AF_INET, SOCK_STREAM);
    ss::error_code ec;
    int published = 0;
    while (published < 2'000 && !ec) {
        usual->publish("name" + std::to_string(published), one, ec);
        if (!ec) ++published;
    }
    CHECK(published == 1'024);
    CHECK(ec == ss::errc::name_table_full);
    CHECK_THAT(ec.message(), test::contains("segment_options::names"));

    test::scratch_segment large({.sockets = 4, .processes = 4, .names = 3'000});
    one = ss::shared_socket::open(large, AF_INET, SOCK_STREAM);
    for (int i = 0; i < 3'000; ++i)
        large->publish("name" + std::to_string(i), one);
    CHECK(large->published().size() == 3'000);
    CHECK(ss::shared_socket::open_published(large, "name2999").is_open());
    large->publish("name2999", one); // it is there already
    large->publish("one more", one, ec);
    CHECK(ec == ss::errc::name_table_full);
    CHECK(large->unpublish("name17"));
    CHECK_NOTHROW(large->publish("one more", one));
}

TEST_CASE("a segment for more names than are possible is refused", "[fault-179]")
{
    ss::error_code ec;
    ss::segment::create(test::unique_name(), {.names = 16'385}, ec);
    CHECK(ec == ss::errc::bad_capacity);
}
