// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// STATE-15, STATE-16 and DUP-19: descriptors that the library has not made, and listeners that several processes have.
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/plain_socket.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

bool blocks(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

// A descriptor that each process of the test has: this one, and the peers that are started while it exists.
class inherited_listener {
public:
    inherited_listener()
    {
        ss::socket_address any = ss::socket_address::loopback(0);
        ::bind(number_, any.data(), any.size());
        ::listen(number_, 8);
    }
    ~inherited_listener() { ::close(number_); }
    inherited_listener(const inherited_listener&)            = delete;
    inherited_listener& operator=(const inherited_listener&) = delete;

    int number() const { return number_; }

private:
    const int number_ = ::socket(AF_INET, SOCK_STREAM, 0); // without SOCK_CLOEXEC
};

} // namespace

TEST_CASE("a process that adopts a socket which another process has adopted has a handle to the same shared socket", "[DUP-19][G1]")
{
    const inherited_listener listener;
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    const std::string number = std::to_string(listener.number());
    REQUIRE(a.ask("adopt l " + number) == "ok");
    REQUIRE(b.ask("adopt l " + number) == "ok");
    CHECK(a.ask("id l") == b.ask("id l"));
    CHECK(a.ask("blocking l off") == "ok");
    CHECK(b.ask("blocking l") == "no");
}

TEST_CASE("an adopted descriptor that blocked is left so by calls of the library and by its end", "[STATE-15]")
{
    const inherited_listener listener;
    test::scratch_segment segment;
    {
        auto mine = ss::shared_socket::adopt(segment, ::dup(listener.number()));
        mine.set_blocking(false);
        ss::error_code ec;
        static_cast<void>(mine.accept(ec));
        CHECK(ec == std::errc::operation_would_block);
        ss::event_object ready;
        mine.event_select(ready, ss::network_event::accept);
        auto caller = test::plain_socket::connect(mine.local_address().port());
        REQUIRE(ready.wait(test::patience));
        CHECK(mine.accept().is_open());
        CHECK(blocks(listener.number()));
    }
    CHECK(blocks(listener.number()));
}

TEST_CASE("a shutdown of a listener is not connected, and every process goes on listening", "[STATE-16][fault-153]")
{
    test::scratch_segment segment;
    const std::string kind = GENERATE(std::string("tcp"), std::string("unix"), std::string("adopted"));
    CAPTURE(kind);
    sockaddr_un local{.sun_family = AF_UNIX, .sun_path = {}};
    ss::shared_socket mine;
    if (kind == "tcp") mine = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    if (kind == "unix") {
        mine = ss::shared_socket::open(segment, AF_UNIX, SOCK_STREAM);
        mine.bind(ss::socket_address(reinterpret_cast<const sockaddr*>(&local), sizeof local.sun_family)); // a name of the kernel's
        mine.listen();
    }
    if (kind == "adopted") {
        const inherited_listener listener;
        mine = ss::shared_socket::adopt(segment, ::dup(listener.number()));
    }
    test::peer b(segment.name());
    REQUIRE(b.ask("redeem l " + mine.duplicate_for_pid(b.process().pid()).to_text()) == "ok");
    ss::event_object ready;
    mine.event_select(ready, ss::network_event::accept);
    for (const std::string how : {"receive", "send", "both"})
        CHECK(b.ask("shutdown l " + how) == "error: not_connected");
    auto caller = ss::shared_socket::open(segment, kind == "unix" ? AF_UNIX : AF_INET, SOCK_STREAM);
    caller.connect(mine.local_address());
    REQUIRE(ready.wait(test::patience));
    CHECK(mine.accept().is_open());
    int listening  = 0;
    socklen_t size = sizeof listening;
    ::getsockopt(mine.native_handle(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
    CHECK(listening == 1);
}
