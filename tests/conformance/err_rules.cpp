// ERR: the errors of calls, and the state that a failing call leaves as it was. At least one test for each rule of the
// specification; ERR-6 is in err_damage_rules.cpp.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "conformance/collecting_steps.hpp"
#include "conformance/watched_connection.hpp"
#include "tables/socket_table.hpp"

#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

namespace ss = sharedsock;

using test::shared_connection;
using test::signalled;
using test::watched_connection;

namespace {

const std::string closed = "error: bad_file_descriptor, closed_handle";

} // namespace

TEST_CASE("a call that fails says why and what to do, compares equal to a condition, and changes nothing", "[ERR-1]")
{
    watched_connection s;
    REQUIRE(s.b.ask("event gone moved") == "ok");
    const std::string ticket = s.a.ask("duplicate h " + s.b.pid());
    std::string altered      = ticket;
    altered[0]               = altered[0] == '0' ? '1' : '0';
    REQUIRE(s.b.ask("redeem closed " + s.a.ask("duplicate h " + s.b.pid())) == "ok");
    REQUIRE(s.b.ask("close closed") == "ok");
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    s.x.send("x");
    REQUIRE(signalled(s.a));

    struct failing {
        test::peer& who;
        std::string call;
        std::string error;
    };
    const failing all[] = {
        {s.b, "duplicate h 2147483632", "no_such_process, target_gone"},
        {s.b, "redeem g " + altered, "invalid_argument, ticket_malformed"},
        {s.c, "redeem g " + ticket, "invalid_argument, ticket_wrong_process"},
        {s.b, "event_select h e 4096", "invalid_argument, bad_event_mask"},
        {s.b, "event_select h gone read", "invalid_argument, bad_event_object"},
        {s.b, "enum h gone", "invalid_argument, bad_event_object"},
        {s.b, "blocking h on", "invalid_argument, blocking_while_registered"},
        {s.b, "pass_on h", "operation_not_permitted, not_the_owner"},
        {s.b, "open_published g nothing", "no_such_file_or_directory, name_not_published"},
        {s.b, "event_select closed e read", "bad_file_descriptor, closed_handle"},
        {s.b, "duplicate closed " + s.c.pid(), "bad_file_descriptor, closed_handle"},
        {s.b, "send closed x", "bad_file_descriptor, closed_handle"},
        {s.b, "adopt g 0", "not_a_socket, not_a_shared_socket"},
        // A refusal of the kernel keeps the kernel's error.
        {s.b, "connect h " + std::to_string(s.listener.port()), "already_connected"},
        {s.b, "bind h 0", "invalid_argument"},
        {s.b, "receive h 1 oob", "invalid_argument"},
    };
    const std::string before = s.state();
    for (const failing& one : all) {
        INFO(one.call);
        CHECK(one.who.ask(one.call) == "error: " + one.error);
        const std::string message = one.who.ask("message");
        const bool own            = one.error.find(',') != std::string::npos;
        CHECK(message.size() > (own ? 30u : 5u));
        if (own) CHECK((message.find(';') != std::string::npos || message.find(',') != std::string::npos)); // says the remedy
        CHECK(s.state() == before);
    }
    CHECK(s.a.ask("sig e") == "yes");
    CHECK(s.a.ask("enum h e") == "read"); // the record has survived all that
    CHECK(s.b.ask("redeem g " + ticket) == "ok");
}

TEST_CASE("duplicate tells why it fails", "[ERR-2]")
{
    shared_connection s;
    CHECK(s.a.ask("duplicate h 2147483632") == "error: no_such_process, target_gone");
    CHECK(s.a.ask("duplicate h 2147483632 pid") == "error: no_such_process, target_gone");
    CHECK(s.a.ask("duplicate h -1 pid") == "error: no_such_process, target_gone");
    CHECK(s.a.ask("in_clone duplicate h " + s.b.pid()) == "error: no_such_device_or_address, not_attached");
    CHECK(s.b.ask("handles h").substr(0, 2) == "2 ");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("duplicate h " + s.b.pid()) == closed);
}

TEST_CASE("a full table is no_buffer_space until a record in it ends", "[ERR-2]")
{
    test::scratch_segment segment({.sockets = 4, .processes = 4, .handles = 8});
    test::peer a(segment.name()), b(segment.name());
    REQUIRE(a.ask("open h tcp") == "ok");

    SECTION("of handles and tickets")
    {
        std::vector<std::string> tickets;
        for (int i = 0; i < 7; ++i)
            tickets.push_back(a.ask("duplicate h " + b.pid()));
        CHECK(a.ask("duplicate h " + b.pid()) == "error: no_buffer_space, handle_table_full");
        CHECK(b.ask("redeem h " + tickets.front()) == "ok"); // needs none
        CHECK(a.ask("duplicate h " + b.pid()) == "error: no_buffer_space, handle_table_full");
        CHECK(a.ask("revoke " + tickets.back()) == "yes");
        CHECK(b.ask("redeem g " + a.ask("duplicate h " + b.pid())) == "ok");
    }
    SECTION("of sockets")
    {
        for (const char* one : {"s1", "s2", "s3"})
            REQUIRE(b.ask(std::string("open ") + one + " tcp") == "ok");
        CHECK(b.ask("open s4 tcp") == "error: no_buffer_space, socket_table_full");
        CHECK(b.ask("redeem h " + a.ask("duplicate h " + b.pid())) == "ok"); // needs none
        REQUIRE(b.ask("close s2") == "ok");
        CHECK(b.ask("open s4 tcp") == "ok");
    }
    SECTION("of descriptors")
    {
        const std::string ticket = a.ask("duplicate h " + b.pid());
        REQUIRE(b.ask("limit_descriptors 0") == "ok");
        CHECK(b.ask("redeem h " + ticket) == "error: too_many_files_open");
        REQUIRE(b.ask("limit_descriptors off") == "ok");
        CHECK(b.ask("redeem h " + ticket) == "ok");
    }
}

TEST_CASE("a ticket in which one bit is wrong is refused, whichever it is", "[ERR-2][G10]")
{
    shared_connection s;
    const std::string text = s.a.ask("duplicate h " + s.b.pid());
    for (std::size_t digit = 0; digit < text.size(); ++digit) {
        for (unsigned bit = 0; bit < 4; ++bit) {
            static const std::string digits = "0123456789abcdef";
            std::string altered             = text;
            altered[digit]                  = digits[digits.find(text[digit]) ^ 1u << bit];
            const std::string answer        = s.b.ask("redeem g " + altered);
            INFO(altered);
            REQUIRE(answer == "error: invalid_argument, ticket_malformed");
        }
    }
    CHECK(s.b.ask("redeem g " + text) == "ok");
}

TEST_CASE("a forged, altered, foreign or used ticket is refused, each with its reason", "[ERR-2][fault-64][G10]")
{
    shared_connection s;
    const auto refused_as  = [](const char* code) { return std::string("error: invalid_argument, ") + code; };
    const std::string text = s.a.ask("duplicate h " + s.b.pid());
    ss::ticket forged      = ss::ticket::from_text(text);
    forged.nonce ^= 1;
    CHECK(s.b.ask("redeem g " + forged.to_text()) == refused_as("ticket_used"));
    forged = ss::ticket::from_text(text);
    forged.handle += 1000;
    CHECK(s.b.ask("redeem g " + forged.to_text()) == refused_as("ticket_used"));
    forged = ss::ticket::from_text(text);
    forged.segment[3] ^= 1;
    CHECK(s.b.ask("redeem g " + forged.to_text()) == refused_as("ticket_foreign_segment"));
    CHECK(s.a.ask("redeem g " + text) == refused_as("ticket_wrong_process"));
    CHECK(s.b.ask("redeem g " + text.substr(2)) == refused_as("ticket_malformed"));
    CHECK(s.b.ask("redeem g " + text) == "ok");
    CHECK(s.b.ask("redeem g2 " + text) == refused_as("ticket_used"));
    const std::string revoked = s.a.ask("duplicate h " + s.b.pid());
    REQUIRE(s.a.ask("revoke " + revoked) == "yes");
    CHECK(s.b.ask("redeem g2 " + revoked) == refused_as("ticket_used"));
}

// --- ERR-3 ----------------------------------------------------------------------------------------------------------------

TEST_CASE("selecting, enumerating and changing the mode tell why they fail, in any process", "[ERR-3]")
{
    shared_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string before = s.b.ask("query h");
    for (test::peer* const one : {&s.a, &s.b}) {
        REQUIRE(one->ask("event gone moved") == "ok");
        CHECK(one->ask("event_select h gone read") == "error: invalid_argument, bad_event_object");
        CHECK(one->ask("event_select h e 4096") == "error: invalid_argument, bad_event_mask");
        CHECK(one->ask("event_select h e 1025") == "error: invalid_argument, bad_event_mask"); // READ and a bit too many
        CHECK(one->ask("enum h gone") == "error: invalid_argument, bad_event_object");
        CHECK(one->ask("blocking h on") == "error: invalid_argument, blocking_while_registered");
        CHECK(s.b.ask("query h") == before);
    }
    for (test::peer* const one : {&s.b, &s.a}) {
        REQUIRE(one->ask("close h") == "ok");
        for (const char* const call :
             {"event_select h e read", "event_select h - none", "enum h e", "enum h", "blocking h off", "query h"})
            CHECK(one->ask(call) == closed);
    }
}

TEST_CASE("selecting for a handler tells why it fails", "[ERR-3]")
{
    test::shared_with_handler s;
    REQUIRE(s.b.ask("event_select h e read") == "ok");
    const std::string before = s.b.ask("query h");
    CHECK(s.a.ask("async_select_without executor h") == "error: invalid_argument");
    CHECK(s.a.ask("async_select_without handler h") == "error: invalid_argument");
    CHECK(s.a.ask("async_select h 4096") == "error: invalid_argument, bad_event_mask");
    CHECK(s.b.ask("query h") == before);
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("async_select h read") == "error: bad_file_descriptor, closed_handle");
    CHECK(s.b.ask("query h") == before);
}

// --- ERR-4 ----------------------------------------------------------------------------------------------------------------

namespace {

// A line on which A has sent more than X has room for, non-blocking, with an hour of linger time.
struct clogged_connection : shared_connection {
    clogged_connection()
    {
        REQUIRE(a.ask("blocking h off") == "ok");
        REQUIRE(a.ask("option h linger 3600") == "ok");
        sent = static_cast<std::size_t>(std::stoul(a.ask("send_until_full h")));
    }
    // Whether X gets all of it, and then the end.
    bool arrives_in_order() { return x.receive(sent).size() == sent && x.ended(); }

    std::size_t sent = 0;
};

} // namespace

TEST_CASE("the last close of a non-blocking socket does not linger: it fails and leaves the handle", "[ERR-4]")
{
    clogged_connection s;
    CHECK(s.b.ask("close h") == "ok"); // not the last
    CHECK(s.a.ask("close h") == "error: operation_would_block, would_linger");
    CHECK(s.a.ask("is_open h") == "yes");
    CHECK(s.x.receive(1) == "x");
    s.sent -= 1;
    CHECK(s.a.ask("send h x dontwait").substr(0, 6) != "error: bad"); // the handle is as it was

    SECTION("without linger time it goes on in the background")
    {
        REQUIRE(s.a.ask("option h linger off") == "ok");
        CHECK(s.a.ask("close h") == "ok");
        CHECK(s.a.ask("is_open h") == "no");
    }
    SECTION("a destructor never waits, and sends in the background")
    {
        CHECK(s.a.ask("drop h") == "ok"); // at once, not in an hour
    }
    SECTION("when all is sent it closes")
    {
        CHECK(s.x.receive(s.sent).size() == s.sent);
        s.sent = 0;
        CHECK(test::eventually([&] { return s.a.ask("close h") == "ok"; }));
    }
    const std::string rest = s.x.receive(s.sent + 1);
    CHECK(rest.size() >= s.sent);
    CHECK(s.x.ended());
}

// --- ERR-5 ----------------------------------------------------------------------------------------------------------------

TEST_CASE("every data call reports what ended the connection, through every handle", "[ERR-5][STATE-9]")
{
    shared_connection s;
    s.x.reset();
    REQUIRE(test::eventually([&] { return s.a.ask("receive h 1 dontwait") == "error: connection_reset"; }));
    for (test::peer* const one : {&s.b, &s.a})
        for (const char* const call : {"receive h 1", "send h x", "shutdown h send", "receive h 1 peek"})
            CHECK(one->ask(call) == "error: connection_reset");
}

TEST_CASE("sending after shutdown is a broken pipe, and no signal", "[ERR-5]")
{
    shared_connection s; // the processes have the default action for SIGPIPE, which ends them
    REQUIRE(s.a.ask("shutdown h send") == "ok");
    CHECK(s.a.ask("send h x") == "error: broken_pipe");
    CHECK(s.b.ask("send h x") == "error: broken_pipe");
    CHECK(s.a.ask("pid") == s.a.pid());
    CHECK(s.b.ask("pid") == s.b.pid());
}

TEST_CASE("a non-blocking connect that is under way fails with operation_would_block, not with EINPROGRESS", "[ERR-5]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    test::plain_listener listener;
    REQUIRE(a.ask("open h tcp") == "ok");
    REQUIRE(a.ask("blocking h off") == "ok");
    REQUIRE(test::share(a, "h", b) == "ok");
    CHECK(a.ask("connect h " + std::to_string(listener.port())) == "error: operation_would_block");
    CHECK(test::eventually([&] { return b.ask("connect h " + std::to_string(listener.port())) == "error: already_connected"; }));
}
