// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Generations of other versions: the test itself speaks the protocol, as an older or a newer build would.
#include "process/restart/generation_role.hpp"
#include "restart/message.hpp"
#include "restart/service_place.hpp"
#include "restart/wire.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/restart.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace wire = ss::restart::detail::wire;
using ss::restart::detail::arrival;
using ss::restart::detail::arrived_message;
using ss::restart::detail::conversation;
using ss::restart::detail::service_place;
using ss::restart::detail::unique_fd;
using test::child_process;
using test::service_under_test;
using wire::kind;

namespace {

// A successor, or a predecessor, of another version.
class other_version {
public:
    explicit other_version(const service_under_test& service) { how_.directory = service.directory(); }

    void connect()
    {
        ss::error_code ec;
        place_ = service_place::open("web", how_, ec);
        talk_  = conversation(place_.connect(ec));
        REQUIRE(talk_);
    }
    void serve()
    {
        ss::error_code ec;
        place_    = service_place::open("web", how_, ec);
        lock_     = place_.try_lock(ec);
        listener_ = place_.bind(ec);
        REQUIRE(listener_);
    }
    void accept()
    {
        REQUIRE(test::eventually([&] {
            const int accepted = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (accepted >= 0) talk_ = conversation(unique_fd(accepted));
            return accepted >= 0;
        }));
    }
    void say(const wire::message& one, std::vector<int> with = {}) { REQUIRE_FALSE(talk_.send_now(one, with)); }
    // A message that this build does not know.
    void say_unknown(bool required)
    {
        std::vector<std::byte> bytes = wire::encode({});
        bytes[4]                     = std::byte{200};
        bytes[6]                     = std::byte{required};
        REQUIRE(::send(talk_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    }
    wire::message hear()
    {
        arrived_message got;
        REQUIRE(test::eventually([&] { return talk_.receive(got) == arrival::message; }));
        CHECK(got.content.is == wire::verdict::good);
        descriptors = std::move(got.descriptors);
        return got.content.text;
    }
    bool hears_the_end()
    {
        arrived_message got;
        arrival what = arrival::nothing;
        return test::eventually([&] { return (what = talk_.receive(got)) != arrival::nothing; }) && what == arrival::end;
    }
    void say_welcome(std::uint64_t listeners)
    {
        verdict_ = unique_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        wire::message welcome;
        welcome.what    = kind::welcome;
        welcome.newest  = 1;
        welcome.number  = 2;
        welcome.count   = listeners;
        welcome.pid     = 4711;
        welcome.library = "9.9.9";
        welcome.layout  = 4242;
        say(welcome, {verdict_.get()});
    }
    conversation& talk() noexcept { return talk_; }

    std::vector<unique_fd> descriptors;

private:
    ss::restart::options how_;
    service_place place_;
    unique_fd lock_, listener_, verdict_;
    conversation talk_;
};

wire::message hello(std::uint64_t oldest, std::uint64_t newest)
{
    wire::message one;
    one.what    = kind::hello;
    one.oldest  = oldest;
    one.newest  = newest;
    one.pid     = 4711;
    one.library = "9.9.9";
    one.layout  = 4242;
    return one;
}

wire::message of(kind what)
{
    wire::message one;
    one.what = what;
    return one;
}

} // namespace

TEST_CASE("a successor that speaks no common protocol is refused with both versions, and the service stays as it is",
          "[restart][fault-163]")
{
    service_under_test service;
    child_process first = service.start_first();
    other_version next(service);
    next.connect();
    next.say(hello(7, 9));
    const std::string said = first.ask("next");
    INFO(said);
    CHECK(said.starts_with("successor_failed: other_restart_protocol"));
    const wire::message refused = next.hear();
    CHECK(refused.what == kind::refused);
    CHECK(refused.number == static_cast<std::uint64_t>(wire::refusal::protocol));
    CHECK(refused.text.find("speaks versions 1 to 1 of the restart protocol, the successor (sharedsock 9.9.9) 7 to 9") !=
          std::string::npos);
    child_process second = service.start_next(first);
    CHECK(second.ask("ready") == "ok");
}

TEST_CASE("a newer successor with another layout of segments, and messages and fields that this version skips, takes over",
          "[restart][fault-163]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::string number;
    test::plain_socket client = service.connect(first, number);
    other_version next(service);
    next.connect();
    next.say(hello(1, 9));
    next.say_unknown(false);
    CHECK(first.ask("next") == "successor_joined");
    const wire::message welcome = next.hear();
    CHECK(welcome.newest == 1);
    CHECK(welcome.count == 1);
    CHECK(next.hear().name == "http");
    next.say_unknown(false);
    next.say(of(kind::ready));
    CHECK(first.ask("next") == "successor_ready");
    CHECK(next.hear().what == kind::go);
    first.ask("give " + number + " 3 half");
    const wire::message gift = next.hear();
    CHECK(gift.tag == 3);
    REQUIRE(next.descriptors.size() == 1);
    test::plain_socket taken(next.descriptors[0].release());
    wire::message answer = of(kind::taken);
    answer.number        = gift.number;
    next.say(answer);
    CHECK(first.ask("next") == "given 1");
    CHECK(first.ask("finish") == "ok");
    CHECK(next.hear().what == kind::over);
    next.say(of(kind::serving));
    CHECK(first.ask("next") == "replaced");
    taken.send("x");
    CHECK(client.receive(1) == "x");
}

TEST_CASE("a successor that requires what this version does not know, or sends no messages, gets nothing", "[restart][fault-163]")
{
    service_under_test service;
    child_process first = service.start_first();
    std::string number;
    test::plain_socket client = service.connect(first, number);
    other_version next(service);
    next.connect();
    next.say(hello(1, 9));
    CHECK(first.ask("next") == "successor_joined");
    next.say(of(kind::ready));
    CHECK(first.ask("next") == "successor_ready");
    first.ask("give " + number + " 3 half");
    std::string why;
    SECTION("a required message")
    {
        next.say_unknown(true);
        why = "other_restart_protocol";
    }
    SECTION("bytes that are no message")
    {
        ::send(next.talk().native_handle(), "GET / HTTP", 10, MSG_NOSIGNAL);
        why = "bad_restart_message";
    }
    SECTION("an answer to a gift that does not exist")
    {
        wire::message answer = of(kind::taken);
        answer.number        = 77;
        next.say(answer);
        why = "bad_restart_message";
    }
    CHECK(first.ask("next").starts_with("returned 1 as 1 3 'half': " + why));
    CHECK(first.ask("next").starts_with("successor_failed: " + why));
    first.ask("send 1 x");
    CHECK(client.receive(1) == "x");
    wire::message late = of(kind::taken);
    late.number        = 1;
    CHECK(next.talk().send_now(late)); // the fence
}

TEST_CASE("an older predecessor with another layout of segments is succeeded, and what it adds is skipped", "[restart]")
{
    service_under_test service;
    other_version predecessor(service);
    predecessor.serve();
    child_process second = service.start();
    second.tell("join");
    predecessor.accept();
    CHECK(predecessor.hear().what == kind::hello);
    predecessor.say_welcome(0);
    CHECK(second.line() == "successor of 4711");
    second.ask("ready");
    CHECK(predecessor.hear().what == kind::ready);
    predecessor.say_unknown(false);
    predecessor.say(of(kind::over));
    CHECK(second.ask("next") == "serving");
    CHECK(predecessor.hear().what == kind::serving);
}

TEST_CASE("a predecessor that requires what this version does not know is told so, and keeps the service", "[restart]")
{
    service_under_test service;
    other_version predecessor(service);
    predecessor.serve();
    child_process second = service.start();
    second.tell("join");
    predecessor.accept();
    predecessor.hear();
    SECTION("in the beginning")
    {
        predecessor.say_unknown(true);
        CHECK(second.line().starts_with("error: other_restart_protocol: join service \"web\""));
    }
    SECTION("later")
    {
        predecessor.say_welcome(0);
        CHECK(second.line() == "successor of 4711");
        predecessor.say_unknown(true);
        CHECK(second.ask("next").starts_with("dismissed: other_restart_protocol"));
        CHECK(predecessor.hear().what == kind::leaving);
        CHECK(predecessor.hears_the_end());
    }
    SECTION("bytes that are no message")
    {
        ::send(predecessor.talk().native_handle(), "GET / HTTP", 10, MSG_NOSIGNAL);
        CHECK(second.line().starts_with("error: bad_restart_message"));
    }
}

TEST_CASE("behind shutdown(2) for reading no send of the other side succeeds, and what was sent before is read", "[restart]")
{
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    conversation here{unique_fd(ends[0])}, there{unique_fd(ends[1])};
    CHECK_FALSE(there.send_now(of(kind::ready)));
    CHECK_FALSE(there.send_now(of(kind::serving)));
    here.refuse_more();
    const ss::error_code refused = there.send_now(of(kind::leaving));
    CHECK(refused == ss::error_code(EPIPE, boost::system::system_category()));
    arrived_message got;
    REQUIRE(here.receive(got) == arrival::message);
    CHECK(got.content.text.what == kind::ready);
    REQUIRE(here.receive(got) == arrival::message);
    CHECK(got.content.text.what == kind::serving);
    CHECK(here.receive(got) == arrival::end);
    CHECK_FALSE(here.send_now(of(kind::dismissed))); // the other way is open
    CHECK(there.receive(got) == arrival::message);
}
