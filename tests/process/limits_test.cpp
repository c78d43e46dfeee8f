// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Bad input, full tables and denied descriptors at the public calls: each is an error with a reason, and nothing is lost or left.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"
#include "support/scratch_segment.hpp"

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <span>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// Lowers the limit of descriptors so that `spare` more can be opened, until the end of scope.
class few_descriptors {
public:
    explicit few_descriptors(int spare)
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
        ::close(lowest);
        rlimit now   = before_;
        now.rlim_cur = static_cast<rlim_t>(lowest + spare);
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("a full socket table is an error, and has room again after a close", "[ERR-2][fault-45]")
{
    test::scratch_segment home({.sockets = 3, .processes = 2});
    std::vector<ss::shared_socket> all;
    for (int i = 0; i < 3; ++i)
        all.push_back(ss::shared_socket::open(*home, AF_INET, SOCK_STREAM));
    const std::size_t before = test::open_descriptors();
    ss::error_code ec;
    ss::shared_socket::open(*home, AF_INET, SOCK_STREAM, 0, ec);
    CHECK(ec == ss::errc::socket_table_full);
    CHECK(ec == std::errc::no_buffer_space);
    CHECK(test::open_descriptors() == before);
    all.pop_back();
    CHECK_NOTHROW(ss::shared_socket::open(*home, AF_INET, SOCK_STREAM));
}

TEST_CASE("a full handle table is an error for a ticket, and leaves the socket as it was", "[ERR-2]")
{
    test::scratch_segment home({.sockets = 2, .processes = 2, .handles = 3});
    const ss::shared_socket one = ss::shared_socket::open(*home, AF_INET, SOCK_STREAM);
    const ss::shared_socket two = ss::shared_socket::open(*home, AF_INET, SOCK_STREAM);
    const ss::ticket last       = one.duplicate(home->self());
    ss::error_code ec;
    one.duplicate(home->self(), ec);
    CHECK(ec == ss::errc::handle_table_full);
    CHECK(one.handles().size() == 2);
    CHECK(home->revoke(last));
    CHECK_NOTHROW(one.duplicate(home->self()));
}

TEST_CASE("a full process table is an error, and has room again after a detach", "[fault-46]")
{
    test::scratch_segment home({.sockets = 4, .processes = 2});
    {
        const ss::segment second = ss::segment::open(home.name());
        const std::size_t before = test::open_descriptors();
        ss::error_code ec;
        ss::segment::open(home.name(), {}, ec);
        CHECK(ec == ss::errc::process_table_full);
        CHECK(test::open_descriptors() == before);
    }
    CHECK_NOTHROW(ss::segment::open(home.name()));
}

TEST_CASE("a descriptor that is no socket is not adopted and stays the caller's", "[ERR-2]")
{
    test::scratch_segment home;
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ss::error_code ec;
    ss::shared_socket::adopt(*home, file, ec);
    CHECK(ec == ss::errc::not_a_shared_socket);
    CHECK(ec == std::errc::not_a_socket);
    CHECK(::fcntl(file, F_GETFD) >= 0);
    ::close(file);
    ss::shared_socket::adopt(*home, -1, ec);
    CHECK(ec == std::errc::bad_file_descriptor);
}

TEST_CASE("a descriptor whose socket has a slot already is not adopted twice")
{
    test::scratch_segment home;
    test::connection pair(home);
    const int raw = ::fcntl(pair.socket.native_handle(), F_DUPFD_CLOEXEC, 0);
    ss::error_code ec;
    ss::shared_socket::adopt(*home, raw, ec);
    CHECK(ec == ss::errc::already_shared);
    ::close(raw);
}

TEST_CASE("at the descriptor limit every call is an error, nothing leaks, and all calls work again afterwards", "[fault-41]")
{
    test::scratch_segment home;
    test::connection pair(home);
    const ss::ticket ticket  = pair.socket.duplicate(home->self());
    const std::size_t before = test::open_descriptors();
    ss::error_code ec;
    {
        const few_descriptors limit(0);
        ss::shared_socket::open(*home, AF_INET, SOCK_STREAM, 0, ec);
        CHECK(ec == std::errc::too_many_files_open);
        ss::shared_socket::redeem(*home, ticket, ec);
        CHECK(ec == std::errc::too_many_files_open); // the ticket is as it was (DUP-9)
        ss::segment::open(home.name(), {}, ec);
        CHECK(ec == std::errc::too_many_files_open);
        ss::segment::create_unnamed({}, ec);
        CHECK(ec == std::errc::too_many_files_open);
        CHECK_THROWS_AS(ss::event_object(), ss::system_error);
    }
    CHECK(test::open_descriptors() <= before + 1); // a mailbox may have accepted its connection
    const ss::shared_socket redeemed = ss::shared_socket::redeem(*home, ticket);
    pair.say("x");
    std::byte room[1];
    CHECK(ss::shared_socket(redeemed.impl()).receive(room) == 1);
}

TEST_CASE("a closed, moved from or never opened handle is an error in every call", "[DUP-11][ERR-3]")
{
    test::scratch_segment home;
    test::connection pair(home);
    pair.socket.close();
    ss::error_code ec;
    std::byte room[1];
    ss::event_object ready;
    for (ss::shared_socket* const one : {&pair.socket}) {
        one->receive(room, 0, ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        one->send(std::span<const std::byte>(room), 0, ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        one->event_select(ready, ss::network_event::read, {}, ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        one->enum_network_events(&ready, ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        one->duplicate(home->self(), ec);
        CHECK(ec == std::errc::bad_file_descriptor);
        one->close(ec);
        CHECK(ec == std::errc::bad_file_descriptor);
    }
    ss::shared_socket empty;
    empty.connect(ss::socket_address::loopback(1), ec);
    CHECK(ec == std::errc::bad_file_descriptor);
}

TEST_CASE("an unnamed segment leaves nothing behind after its last orderly detach", "[G11]")
{
    const test::scratch_directory place;
    const auto entries = [&] {
        return std::distance(std::filesystem::directory_iterator(place.path()), std::filesystem::directory_iterator());
    };
    const ss::segment_options here{.directory = place.path()};
    const auto before = entries();
    {
        const ss::segment unnamed   = ss::segment::create_unnamed(here);
        const ss::segment again     = ss::segment::open_unnamed(unnamed.memory_handle(), here);
        const ss::shared_socket one = ss::shared_socket::open(unnamed, AF_INET, SOCK_STREAM);
        CHECK(again.processes().size() == 2);
        CHECK(entries() == before + 1);
    }
    CHECK(entries() == before);
}

TEST_CASE("a segment that could be made but not attached to leaves nothing behind", "[fault-41]")
{
    const test::scratch_directory place;
    const ss::segment_options here{.directory = place.path()};
    int failures = 0;
    for (int spare = 0; spare < 64; ++spare) { // fails at one descriptor after the other, until there are enough
        ss::error_code ec;
        {
            const few_descriptors limit(spare);
            const ss::segment unnamed = ss::segment::create_unnamed(here, ec);
            if (!ec) {
                ss::segment::create("one", here, ec);
            }
        }
        if (!ec) ss::segment::remove("one", here); // a named one stays until then
        failures += ec ? 1 : 0;
        CHECK(std::filesystem::is_empty(place.path()));
    }
    CHECK(failures > 5);
    CHECK(failures < 60);
}
