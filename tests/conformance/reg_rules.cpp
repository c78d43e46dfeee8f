// REG: the one event registration of a socket. At least one test for each rule of the specification.
#include "conformance/shared_connection.hpp"
#include "support/eventually.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>

namespace ss = sharedsock;

using test::next_message;
using test::no_message;
using test::quiet;
using test::shared_connection;
using test::shared_listener;
using test::shared_with_handler;
using test::signalled;
using test::word;

TEST_CASE("a registration enters what it nominates in the record and signals its event object", "[REG-1]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(quiet(s.a));
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h") == "read");
}

TEST_CASE("a socket has one registration over all handles in all processes", "[REG-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.b.ask("event_select h e write") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "write");
    s.x.send("x");
    CHECK(quiet(s.a));
    CHECK(s.a.ask("enum h") == "none");
    CHECK(quiet(s.b)); // it has not nominated READ
}

TEST_CASE("two handles of one process have one registration between them", "[REG-2]")
{
    shared_connection s;
    REQUIRE(s.a.ask("redeem h2 " + s.a.ask("duplicate h self")) == "ok");
    REQUIRE(s.a.ask("event e2") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h2 e2 read") == "ok");
    s.x.send("x");
    CHECK(signalled(s.a, "e2"));
    CHECK(quiet(s.a));
    CHECK(word(s.b.ask("query h"), "handle") == s.a.ask("handle_id h2"));
}

TEST_CASE("a new registration replaces the former one entirely", "[REG-3]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event e2") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h e2 write") == "ok");
    CHECK(s.a.ask("enum h e2") == "write");
    s.x.send("x");
    CHECK(quiet(s.a));
    CHECK(quiet(s.a, "e2"));
    CHECK(s.a.ask("enum h e2") == "none");
    CHECK(word(s.b.ask("query h"), "mask") == "write");
}

TEST_CASE("a handler and an event object displace each other", "[REG-4]")
{
    shared_with_handler s;

    SECTION("the handler the event object")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("async_select h read") == "ok");
        CHECK(word(s.b.ask("query h"), "kind") == "async_select");
        s.x.send("x");
        CHECK(next_message(s.a) == "h read");
        CHECK(quiet(s.b));
    }
    SECTION("the event object the handler")
    {
        REQUIRE(s.a.ask("async_select h read") == "ok");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(word(s.b.ask("query h"), "kind") == "event_select");
        s.x.send("x");
        CHECK(signalled(s.b));
        CHECK(no_message(s.a));
    }
}

TEST_CASE("mask zero through any handle cancels the registration", "[REG-5]")
{
    SECTION("of an event object")
    {
        shared_connection s;
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        s.x.send("x");
        CHECK(quiet(s.a));
        CHECK(s.a.ask("query h") == "nobody");
        CHECK(s.b.ask("query h") == "nobody");
    }
    SECTION("of a handler")
    {
        shared_with_handler s;
        REQUIRE(s.a.ask("async_select h read") == "ok");
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        s.x.send("x");
        CHECK(no_message(s.a));
        CHECK(s.b.ask("query h") == "nobody");
    }
    SECTION("of either kind through async_select")
    {
        shared_with_handler s;
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("async_select h none") == "ok");
        s.x.send("x");
        CHECK(quiet(s.b));
        CHECK(s.b.ask("query h") == "nobody");
    }
}

TEST_CASE("registering clears the record, and so does cancelling", "[REG-6]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    REQUIRE(s.a.ask("receive h 10") == "\"x\"");

    SECTION("registering anew in the same process")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
    SECTION("registering in another")
    {
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
    SECTION("cancelling")
    {
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        CHECK(s.a.ask("enum h") == "none");
    }
}

TEST_CASE("what holds already when a registration is made is recorded before the call returns", "[REG-7]")
{
    SECTION("READ, and again after it was enumerated and nothing received")
    {
        shared_connection s;
        s.x.send("abc");
        REQUIRE(s.a.ask("receive h 3 peek all") == "\"abc\""); // it has arrived
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "read");
        CHECK(s.b.ask("enum h e") == "none");
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "read");
    }
    SECTION("ACCEPT")
    {
        shared_listener s;
        auto x = test::plain_socket::connect(s.port); // returns when the connection is in the queue, or about to be
        REQUIRE(test::eventually([&] {
            REQUIRE(s.b.ask("event_select l e accept") == "ok");
            return s.b.ask("sig e") == "yes";
        }));
        CHECK(s.b.ask("enum l e") == "accept");
    }
    SECTION("WRITE")
    {
        shared_connection s;
        REQUIRE(s.b.ask("event_select h e write") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "write");
    }
    SECTION("CLOSE")
    {
        shared_connection s;
        s.x.close();
        REQUIRE(s.a.ask("receive h 1") == "end");
        REQUIRE(s.b.ask("event_select h e close") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "close");
    }
    SECTION("OOB")
    {
        shared_connection s;
        s.x.send("!", MSG_OOB);
        REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob peek") == "\"!\""; }));
        REQUIRE(s.b.ask("event_select h e oob") == "ok");
        CHECK(s.b.ask("sig e") == "yes");
        CHECK(s.b.ask("enum h e") == "oob");
    }
}

TEST_CASE("replacing and cancelling do not touch any event object", "[REG-8]")
{
    shared_connection s;

    SECTION("one that is signalled stays so")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        s.x.send("x");
        REQUIRE(signalled(s.a));
        REQUIRE(s.b.ask("event_select h - none") == "ok");
        CHECK(s.a.ask("sig e") == "yes");
        CHECK(s.a.ask("enum h") == "none");
        CHECK(s.a.ask("sig e") == "yes");
    }
    SECTION("one that is not is not set by its replacement")
    {
        REQUIRE(s.a.ask("event e2") == "ok");
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        REQUIRE(s.a.ask("event_select h e2 read") == "ok");
        CHECK(quiet(s.a));
        REQUIRE(s.b.ask("event_select h e read") == "ok");
        CHECK(quiet(s.a, "e2"));
    }
}

TEST_CASE("a registration lasts until it is replaced, cancelled or closed", "[REG-9]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string registration = s.a.ask("query h");
    for (int round = 0; round < 100; ++round) {
        s.x.send("x");
        REQUIRE(s.a.ask("poll e 20000") == "yes");
        REQUIRE(signalled(s.a));
        REQUIRE(s.a.ask("enum h e") == "read");
        REQUIRE(s.b.ask("poll e 0") == "no");
        REQUIRE(s.a.ask("receive h 10") == "\"x\"");
        REQUIRE(s.b.ask("enum h") == "none");
    }
    CHECK(s.b.ask("query h") == registration);
}

TEST_CASE("a displaced owner is not told, and may ask who it is now", "[REG-10]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string before = s.a.ask("query h");
    REQUIRE(word(before, "owner") == s.a.ask("self"));
    REQUIRE(s.b.ask("event_select h e write") == "ok");
    CHECK(quiet(s.a));
    const std::string now = s.a.ask("query h");
    CHECK(word(now, "owner") == s.b.ask("self"));
    CHECK(word(now, "handle") == s.b.ask("handle_id h"));
    CHECK(word(now, "kind") == "event_select");
    CHECK(word(now, "mask") == "write");
    CHECK(std::stoi(word(now, "epoch")) == std::stoi(word(before, "epoch")) + 1);
    CHECK(s.b.ask("query h") == now);
}

namespace {

// What two processes that take over from each other write down, in memory that they share.
struct hand_over_log {
    std::atomic<std::uint32_t> completed; // the epoch of the latest async_select that has returned
    std::atomic<std::uint32_t> events;
    std::atomic<std::uint32_t> late; // events under an earlier epoch than that, at their beginning or at their end
};

hand_over_log* map_log(const std::string& path)
{
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(hand_over_log)) != 0) throw std::system_error(errno, std::generic_category(), path);
    void* const memory = ::mmap(nullptr, sizeof(hand_over_log), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
    return static_cast<hand_over_log*>(memory);
}

} // namespace

SHAREDSOCK_CHILD_ROLE("takes over again and again")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    hand_over_log& log        = *map_log(role.args.at(1));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    role.say("has it");
    boost::asio::io_context context;
    const auto guard = boost::asio::make_work_guard(context);
    std::jthread running([&] { context.run(); });
    struct stopped { // also by an exception, before it is joined
        boost::asio::io_context& context;
        ~stopped() { context.stop(); }
    } const at_the_end{context};
    const auto check = [&](std::uint32_t epoch) {
        if (log.completed.load() > epoch) log.late.fetch_add(1);
    };
    const auto handler = [&](const ss::event_message& message) {
        check(message.epoch);
        log.events.fetch_add(1);
        std::byte room[512];
        ss::error_code ec;
        socket.receive(room, MSG_DONTWAIT, ec);
        check(message.epoch);
    };
    role.hear();
    ss::select_options patient;
    patient.fence_limit = test::patience;
    for (int round = std::stoi(role.args.at(2)); round > 0; --round) {
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
        const auto now = socket.registration();
        if (!now || now->owner != segment.self()) continue; // somebody else's already
        std::uint32_t latest = log.completed.load();
        while (latest < now->epoch && !log.completed.compare_exchange_weak(latest, now->epoch)) {
        }
    }
    role.say("done");
    role.hear();
    socket.close();
    return 0;
}

TEST_CASE("no event of a former registration comes after the call that replaced it has returned", "[REG-11]")
{
    constexpr int hand_overs = 10'000;
    test::scratch_segment segment;
    test::scratch_directory scratch;
    const std::string path = scratch.path() / "log";
    hand_over_log& log     = *map_log(path);
    test::connection s(segment, AF_INET);
    test::child_process a("takes over again and again", {segment.name(), path, std::to_string(hand_overs / 2)});
    test::child_process b("takes over again and again", {segment.name(), path, std::to_string(hand_overs / 2)});
    for (test::child_process* const one : {&a, &b}) {
        one->wait_for("ready");
        one->tell(s.socket.duplicate(segment->find_process(one->pid()).value()).to_text());
        one->wait_for("has it");
    }

    std::jthread sender([&](const std::stop_token& enough) {
        const char bytes[256]{};
        pollfd room{s.peer, POLLOUT, 0};
        while (!enough.stop_requested())
            if (::poll(&room, 1, 10) > 0) static_cast<void>(::send(s.peer, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
    });
    a.tell("go");
    b.tell("go");
    a.wait_for("done");
    b.wait_for("done");
    sender.request_stop();
    sender.join();
    a.tell("end");
    b.tell("end");
    CHECK(a.wait() == 0);
    CHECK(b.wait() == 0);

    CHECK(log.late.load() == 0);
    CHECK(log.events.load() > 100); // both had something to do
    CHECK(log.completed.load() > hand_overs / 2);
}

TEST_CASE("an occurrence signals the owner's event object and no other, however often the owner changes", "[REG-11]")
{
    shared_connection s;
    for (int round = 0; round < 50; ++round) {
        test::peer& owner = round % 2 == 0 ? s.a : s.b;
        test::peer& other = round % 2 == 0 ? s.b : s.a;
        REQUIRE(owner.ask("event_select h e read") == "ok");
        s.x.send("x");
        REQUIRE(signalled(owner));
        REQUIRE(other.ask("sig e") == "no");
        REQUIRE(owner.ask("enum h e") == "read");
        REQUIRE(owner.ask("receive h 1") == "\"x\"");
    }
}

TEST_CASE("registering makes the socket non-blocking, whatever the mask", "[REG-12]")
{
    shared_connection s;
    REQUIRE(s.b.ask("blocking h") == "yes");

    SECTION("also mask zero") { REQUIRE(s.a.ask("event_select h - none") == "ok"); }
    SECTION("any other") { REQUIRE(s.a.ask("event_select h e write") == "ok"); }
    CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
    CHECK(s.b.ask("blocking h") == "no");
}

TEST_CASE("a socket cannot be made blocking while it is registered, and is not by cancelling", "[REG-13]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    CHECK(s.b.ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
    CHECK(s.a.ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
    REQUIRE(s.a.ask("event_select h - none") == "ok");
    CHECK(s.b.ask("receive h 1") == "error: operation_would_block");
    CHECK(s.b.ask("blocking h on") == "ok");
    CHECK(s.a.ask("blocking h") == "yes");
}

TEST_CASE("closing the owner's handle cancels the registration, closing another does not", "[REG-14]")
{
    shared_connection s;
    test::peer c(s.segment.name());
    REQUIRE(test::share_between(s.a, "h", c) == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");

    REQUIRE(s.b.ask("close h") == "ok");
    s.x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum h e") == "read");

    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(c.ask("query h") == "nobody");
    CHECK(s.a.ask("set e") == "ok");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("reset e") == "ok");
    CHECK(s.a.ask("sig e") == "no");
    CHECK(s.a.ask("destroy e") == "ok");
}

TEST_CASE("an accepted socket starts with its listener's registration", "[REG-15]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept|read|write") == "ok");
    auto x = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.a));
    CHECK(s.a.ask("enum l e") == "accept");
    REQUIRE(s.a.ask("accept l s") == "ok");
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum s e") == "write");
    CHECK(word(s.a.ask("query s"), "owner") == s.a.ask("self"));
    CHECK(word(s.a.ask("query s"), "mask") == "read|write|accept");
    CHECK(word(s.a.ask("query s"), "handle") == s.a.ask("handle_id s"));
    x.send("x");
    CHECK(signalled(s.a));
    CHECK(s.a.ask("enum s e") == "read");
}

TEST_CASE("an accepted socket starts with its listener's handler", "[REG-15]")
{
    test::scratch_segment segment;
    test::async_peer a(segment.name());
    const auto port = static_cast<std::uint16_t>(std::stoi(a.ask("listener l")));
    REQUIRE(a.ask("async_select l accept|read") == "ok");
    auto x = test::plain_socket::connect(port);
    CHECK(next_message(a) == "l accept");
    REQUIRE(a.ask("accept l s") == "ok");
    x.send("x");
    CHECK(next_message(a) == "s read");
}

TEST_CASE("a socket that another process than the owner's accepts starts without a registration, non-blocking", "[REG-16]")
{
    shared_listener s;
    REQUIRE(s.a.ask("event_select l e accept|read|write") == "ok");
    auto x = test::plain_socket::connect(s.port);
    REQUIRE(signalled(s.a));

    SECTION("a process that never was the owner")
    {
        REQUIRE(s.b.ask("accept l s") == "ok");
        REQUIRE(s.a.ask("enum l e") == "accept");
        CHECK(s.b.ask("query s") == "nobody");
        CHECK(s.b.ask("receive s 1") == "error: operation_would_block");
        x.send("x");
        CHECK(quiet(s.a));
    }
    SECTION("a process that has lost the registration and not heard of it")
    {
        REQUIRE(s.b.ask("event_select l e accept") == "ok");
        REQUIRE(s.a.ask("accept l s") == "ok");
        CHECK(s.a.ask("query s") == "nobody");
        CHECK(s.a.ask("receive s 1") == "error: operation_would_block");
    }
}

TEST_CASE("duplicating and redeeming neither cancel nor move the registration", "[REG-17]")
{
    shared_connection s;
    test::peer c(s.segment.name());
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string before = s.a.ask("query h");
    REQUIRE(test::share_between(s.a, "h", c) == "ok");
    CHECK(c.ask("query h") == before);
    s.x.send("x");
    CHECK(signalled(s.a));
    REQUIRE(c.ask("close h") == "ok");
    CHECK(s.a.ask("query h") == before);
}

TEST_CASE("the death of the owner cancels its registration and any survivor may register", "[REG-18]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);

    CHECK(s.b.ask("enum h") == "none");
    CHECK(s.b.ask("query h") == "nobody");
    CHECK(s.b.ask("receive h 1 peek") == "\"x\"");
    CHECK(s.b.ask("blocking h") == "no");
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    CHECK(s.b.ask("sig e") == "yes");
    CHECK(s.b.ask("enum h e") == "read");
}

TEST_CASE("after the death of the owner a survivor may make the socket blocking", "[REG-18][REG-13]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.a.process().kill(SIGKILL);
    REQUIRE(s.a.process().wait() == -SIGKILL);
    CHECK(s.b.ask("blocking h on") == "ok");
}

TEST_CASE("a call that fails to register changes nothing", "[REG-19]")
{
    shared_connection s;

    SECTION("under a registration")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        const std::string before = s.a.ask("query h");
        CHECK(s.b.ask("event_select h e 4096") == "error: invalid_argument, bad_event_mask");
        CHECK(s.a.ask("event_select h e 1025") == "error: invalid_argument, bad_event_mask");
        CHECK(s.b.ask("query h") == before);
        s.x.send("x");
        CHECK(signalled(s.a));
        CHECK(s.a.ask("enum h e") == "read");
    }
    SECTION("the blocking mode")
    {
        CHECK(s.b.ask("event_select h e 4096") == "error: invalid_argument, bad_event_mask");
        CHECK(s.a.ask("blocking h") == "yes");
    }
    SECTION("when there is no descriptor left for a first registration")
    {
        REQUIRE(s.a.ask("event_select h e read") == "ok");
        const std::string before = s.a.ask("query h");
        REQUIRE(s.b.ask("limit_descriptors 0") == "ok");
        CHECK(s.b.ask("event_select h e read") == "error: too_many_files_open");
        REQUIRE(s.b.ask("limit_descriptors off") == "ok");
        CHECK(s.b.ask("query h") == before);
        s.x.send("x");
        CHECK(signalled(s.a));
        CHECK(s.b.ask("event_select h e read") == "ok"); // and now there is
        CHECK(s.b.ask("enum h e") == "read");
    }
}

TEST_CASE("one event object may serve many sockets, and destroying it cancels their registrations", "[REG-20]")
{
    shared_connection s;
    auto x2 = [&] {
        REQUIRE(s.a.ask("dial h2 " + std::to_string(s.listener.port())) == "ok");
        return s.listener.accept();
    }();
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    REQUIRE(s.a.ask("event_select h2 e read") == "ok");
    s.x.send("1");
    x2.send("2");
    CHECK(signalled(s.a));
    CHECK(test::eventually([&] { return s.a.ask("enum h") == "read"; }));
    CHECK(test::eventually([&] { return s.a.ask("enum h2") == "read"; }));
    CHECK(s.a.ask("destroy e") == "ok");
    CHECK(s.a.ask("query h") == "nobody");
    CHECK(s.b.ask("query h") == "nobody");
    CHECK(s.a.ask("query h2") == "nobody");
}

SHAREDSOCK_CHILD_ROLE("forks with an event object")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ss::event_object ready;
    socket.event_select(ready, ss::network_event::read);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
    const pid_t child = ::fork();
    if (child == 0) {
        const bool set    = ready.wait(test::quiet_time * 2); // the data comes meanwhile
        const char answer = set ? 'y' : 'n';
        ::_exit(::write(ends[1], &answer, 1) == 1 ? 0 : 1);
    }
    role.say("forked");
    role.hear();
    char answer = 0;
    static_cast<void>(::read(ends[0], &answer, 1));
    role.say(std::string("child ") + answer);
    role.say(std::string("parent ") + (ready.wait(test::patience) ? 'y' : 'n'));
    return 0;
}

TEST_CASE("an event object is the process's that made it: nothing sets the copy of a forked child", "[REG-20]")
{
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    test::child_process a("forks with an event object", {segment.name()});
    a.wait_for("ready");
    a.tell(s.socket.duplicate(segment->find_process(a.pid()).value()).to_text());
    a.wait_for("forked");
    s.say("x");
    a.tell("said");
    CHECK(a.line() == "child n");
    CHECK(a.line() == "parent y");
}

TEST_CASE("an event object that was moved from is no sink", "[REG-20]")
{
    test::scratch_segment segment;
    test::connection s(segment);
    ss::event_object first;
    ss::event_object second(std::move(first));
    ss::error_code ec;
    s.socket.event_select(first, ss::network_event::read, {}, ec);
    CHECK(ec == ss::errc::bad_event_object);
    CHECK(ec == std::errc::invalid_argument);
    CHECK_FALSE(s.socket.registration());
    s.socket.event_select(second, ss::network_event::read, {}, ec);
    CHECK_FALSE(ec);
}
