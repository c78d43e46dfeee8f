// ERR-6: calls that meet damaged bytes, or a change that a dead process left half done. ERR-1 to ERR-5 are in err_rules.cpp.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "conformance/collecting_steps.hpp"
#include "conformance/watched_connection.hpp"
#include "tables/socket_table.hpp"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ss = sharedsock;

using test::next_events_of;
using test::shared_connection;
using test::watched_connection;

namespace {

// The slot of h of this process's segment, whose bytes a test may damage.
ss::detail::table_view& bytes_of(test::scratch_segment& segment) { return segment->attachment()->member()->bytes(); }

} // namespace

TEST_CASE("damage is reported by every call that relies on the damaged bytes, and data calls and close go on", "[ERR-6][G10]")
{
    watched_connection s;
    REQUIRE(s.a.ask("event_select h e read") == "ok");
    const std::string ticket            = s.a.ask("duplicate h " + s.b.pid());
    const ss::detail::table_view& bytes = bytes_of(s.segment);
    const std::string damaged           = "error: state_not_recoverable, segment_damaged";

    const auto all_report = [&] {
        for (test::peer* const one : {&s.a, &s.b})
            for (const std::string& call :
                 {std::string("event_select h e read"), std::string("event_select h - none"), std::string("cancel h"),
                  std::string("stand_by h e read"), std::string("enum h e"), std::string("duplicate h ") + s.c.pid()})
                CHECK(one->ask(call) == damaged);
    };
    // No caller can be told of a close that fails: it ends the handle and closes its descriptor, whatever the bytes say.
    const auto close_goes_on = [&] {
        const std::string descriptor = "/proc/" + s.b.pid() + "/fd/" + s.b.ask("fd h");
        REQUIRE(std::filesystem::is_symlink(descriptor));
        CHECK(s.b.ask("close h") == "ok");
        CHECK(s.b.ask("is_open h") == "no");
        CHECK(s.b.ask("send h b") == "error: bad_file_descriptor, closed_handle");
        CHECK_FALSE(std::filesystem::is_symlink(descriptor));
        CHECK(s.x.quiet()); // A and C have the socket still
    };
    const auto line_works = [&] {
        CHECK(s.a.ask("send h a") == "1");
        CHECK(s.x.receive(1) == "a");
        s.x.send("x");
        CHECK(test::eventually([&] { return s.b.ask("receive h 1 dontwait") == "\"x\""; }));
    };

    SECTION("of the whole segment")
    {
        bytes.header->magic ^= 0x100;
        all_report();
        line_works();
        CHECK(s.b.ask("attach " + s.segment.name()).find("error: protocol_error") == 0);
        close_goes_on();
        bytes.header->magic ^= 0x100;
    }
    SECTION("of the socket's slot")
    {
        std::uint32_t index = 0;
        while (load(*bytes.socket(index)).state != ss::detail::slot_state::live)
            ++index;
        ss::detail::atomic_u64& life  = bytes.socket(index)->life;
        const std::uint64_t was_right = life.exchange(0x0123'4567'89ab'cdef);
        all_report();
        line_works();
        REQUIRE(s.a.ask("dial h2 " + std::to_string(s.listener.port())) == "ok"); // other sockets are as they were
        auto x2 = s.listener.accept();
        REQUIRE(s.a.ask("event_select h2 e read") == "ok");
        x2.send("2");
        CHECK(next_events_of(s.a, "h2") == "read");
        close_goes_on();
        life.store(was_right);
    }
    CHECK(bytes.header->damages.load() >= 12);

    // With the bytes put right all is as it was: a call that reports damage changes nothing.
    CHECK(s.b.ask("redeem g " + ticket) == "ok");
    s.x.send("y");
    CHECK(next_events_of(s.a) == "read");
}

SHAREDSOCK_CHILD_ROLE("dies with the lock of a socket")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    const ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ss::error_code ec;
    const ss::detail::membership::slot_guard guard(*segment.attachment()->member(), socket.impl()->socket().index, ec);
    if (guard) socket.impl()->slot().first_handle.store(0); // in the middle of a change of the list
    role.say("holding");
    ::raise(SIGKILL);
    return 0;
}

TEST_CASE("a change that a dead process left half done is completed or undone by the next call, which succeeds",
          "[ERR-6][STATE-14]")
{
    shared_connection s;
    test::child_process holder("dies with the lock of a socket", {s.segment.name()});
    holder.wait_for("ready");
    holder.tell(s.a.ask("duplicate h " + std::to_string(holder.pid())));
    holder.wait_for("holding");
    REQUIRE(holder.wait() == -SIGKILL);
    CHECK(s.b.ask("duplicate h " + s.a.pid()).size() == 128); // not owner_dead: no change is incomplete
    CHECK(s.a.ask("sweep") == "1");
    CHECK(s.b.ask("handles h").substr(0, 2) == "3 ");
    CHECK(bytes_of(s.segment).header->owner_deaths.load() >= 1);
}
