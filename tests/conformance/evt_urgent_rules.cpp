// EVT-14: ordinary receives, by any process, leave unread urgent data alone.
#include "conformance/event_steps.hpp"

#include <csignal>
#include <cstddef>
#include <string>

#include <sys/socket.h>

using test::arrives;
using test::connection_of;
using test::next_events;
using test::quiet;
using test::silent;

namespace {

// Urgent data has arrived behind `before` and in front of `behind`.
void send_around(connection_of& s, const std::string& before, const std::string& behind)
{
    s.x.send(before);
    s.x.send("!", MSG_OOB);
    s.x.send(behind);
    REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob peek") == "\"!\""; }));
}

} // namespace

TEST_CASE("an urgent byte survives ordinary receives by any process", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e oob") == "ok");
    send_around(s, "ab", "cd");
    REQUIRE(next_events(s.a) == "oob");
    CHECK(s.b.ask("receive h 10") == "\"ab\"");
    CHECK(next_events(s.a) == "oob");
    CHECK(s.b.ask("receive h 10") == "\"cd\"");
    CHECK(next_events(s.a) == "oob");
    CHECK(s.a.ask("receive h 10") == "error: operation_would_block");
    CHECK(next_events(s.a) == "oob");
    CHECK(s.a.ask("receive h 1 oob peek") == "\"!\"");
    CHECK(next_events(s.a) == "oob");

    SECTION("received by its owner") { CHECK(s.a.ask("receive h 1 oob") == "\"!\""); }
    SECTION("received by another process") { CHECK(s.b.ask("receive h 1 oob") == "\"!\""); }
    CHECK(silent(s.a));
    CHECK(s.a.ask("receive h 1 oob") == "error: invalid_argument");
    CHECK(s.b.ask("receive h 1 oob") == "error: invalid_argument");
    s.x.send("e");
    CHECK(arrives(s.b, "e"));
    CHECK(s.b.ask("receive h 10") == "\"e\"");
}

TEST_CASE("an urgent byte at the head of the queue survives a receive that finds nothing else", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e oob") == "ok");
    send_around(s, "", "");
    REQUIRE(next_events(s.a) == "oob");
    CHECK(s.b.ask("receive h 10") == "error: operation_would_block");
    CHECK(s.b.ask("receive h 10") == "error: operation_would_block");
    CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
    s.x.send("cd");
    CHECK(arrives(s.b, "cd"));
    CHECK(s.b.ask("receive h 10") == "\"cd\"");
}

TEST_CASE("an urgent byte survives without a nomination of OOB, once a process has looked for urgent data", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.b.ask("blocking h off") == "ok");
    CHECK(s.b.ask("receive h 1 oob").substr(0, 6) == "error:");
    send_around(s, "ab", "cd");
    CHECK(s.b.ask("receive h 10") == "\"ab\"");
    CHECK(s.b.ask("receive h 10") == "\"cd\"");
    REQUIRE(s.a.ask("event_select h e read|oob") == "ok"); // a registration finds it (REG-7)
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum h e") == "oob");
    CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
}

TEST_CASE("an urgent byte survives the death of the process that had received past it", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e oob") == "ok");
    send_around(s, "ab", "cd");
    CHECK(s.b.ask("receive h 10") == "\"ab\"");
    CHECK(s.b.ask("receive h 10") == "\"cd\"");
    s.b.process().kill(SIGKILL);
    REQUIRE(s.b.process().wait() == -SIGKILL);
    CHECK(next_events(s.a) == "oob");
    CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
}

TEST_CASE("a newer urgent byte takes the place of an older one", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e oob") == "ok");
    send_around(s, "", "ab");
    REQUIRE(next_events(s.a) == "oob");
    REQUIRE(s.b.ask("receive h 10") == "\"ab\"");
    s.x.send("?", MSG_OOB);
    s.x.send("cd");
    REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob peek") == "\"?\""; }));

    SECTION("a byte that was received past too") { CHECK(s.b.ask("receive h 10") == "\"cd\""); }
    SECTION("a byte that lies in the kernel") {}
    CHECK(s.a.ask("receive h 1 oob") == "\"?\"");
    CHECK(s.a.ask("receive h 1 oob") == "error: invalid_argument");
}

TEST_CASE("the data behind an urgent byte comes before CLOSE", "[EVT-14][EVT-19]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.a.ask("event_select h e read|oob|close") == "ok");
    s.x.send("!", MSG_OOB);
    s.x.send("cd");
    s.x.close();
    CHECK(test::eventually([&] { return s.b.ask("receive h 2 peek") == "\"cd\""; }));
    std::string seen;
    while (seen.find("read") == std::string::npos)
        seen += next_events(s.a) + " ";
    CHECK(seen.find("close") == std::string::npos);
    CHECK(s.b.ask("receive h 10") == "\"cd\"");
    while (seen.find("close") == std::string::npos)
        seen += next_events(s.a) + " ";
    CHECK(s.a.ask("receive h 1 oob") == "\"!\"");
    CHECK(s.a.ask("receive h 10") == "end");
}

TEST_CASE("an urgent byte survives receives that compete, wait, or want all bytes", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    CHECK(s.a.ask("receive h 1 oob").substr(0, 6) == "error:"); // a receive has looked for the urgent byte
    std::size_t received = 0;
    REQUIRE(s.b.ask("start t receive_count h 1000") == "ok");
    for (int i = 0; i < 50; ++i) {
        s.x.send(std::string(9, 'x'));
        s.x.send("!", MSG_OOB);
        s.x.send(std::string(11, 'x'));
        REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob") == "\"!\""; }));
        received += 20;
    }
    CHECK(s.b.ask("join t") == std::to_string(received));
}

TEST_CASE("a receive that waits behind the mark of a received urgent byte uses no processor time", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    CHECK(s.a.ask("receive h 1 oob").substr(0, 6) == "error:"); // a receive has looked for the urgent byte
    s.x.send("!", MSG_OOB);
    REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 oob") == "\"!\""; }));
    REQUIRE(s.b.ask("start t receive_count h 2") == "ok");
    const long before = std::stol(s.b.ask("cpu"));
    CHECK(quiet(s.a)); // for as long as the other waits
    CHECK(std::stol(s.b.ask("cpu")) - before < 20'000 * test::slowness);
    s.x.send("a");
    s.x.send("?", MSG_OOB);
    s.x.send("b");
    CHECK(s.b.ask("join t") == "2");
    CHECK(s.a.ask("receive h 1 oob") == "\"?\"");
}

TEST_CASE("with SO_OOBINLINE an urgent byte stays in line, and none is kept", "[EVT-14]")
{
    connection_of s(GENERATE("tcp", "unix"));
    REQUIRE(s.b.ask("option h oobinline 1") == "ok");
    REQUIRE(s.a.ask("event_select h e oob") == "ok");
    s.x.send("ab");
    s.x.send("!", MSG_OOB);
    s.x.send("cd");
    CHECK(test::eventually([&] { return s.b.ask("receive h 2 peek") == "\"ab\""; }));
    CHECK(s.b.ask("receive h 10") == "\"ab\"");
    CHECK(test::eventually([&] { return s.b.ask("receive h 3 peek") == "\"!cd\""; }));
    CHECK(s.b.ask("receive h 10") == "\"!cd\"");
    CHECK(s.a.ask("receive h 1 oob") == "error: invalid_argument");
    CHECK(silent(s.a));
}
