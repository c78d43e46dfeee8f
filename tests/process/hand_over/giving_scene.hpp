// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// Common to the tests of acknowledged hand-overs.
#pragma once

#include "audit/inspection.hpp"
#include "process/shared_stream.hpp"
#include "support/eventually.hpp"

#include <cstddef>
#include <string>

namespace test {

inline constexpr const char* declined  = "error: operation_not_supported, hand_over_declined";
inline constexpr const char* not_taken = "error: timed_out, hand_over_not_taken";
inline constexpr const char* gone      = "error: no_such_process, target_gone";

// A gives, B takes. The socket h of A owns its events, and X is its other end.
struct giving_scene {
    giving_scene()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(a.ask("event_select h e read|write|close") == "ok");
        registration = a.ask("query h");
        REQUIRE(a.ask("sig e") == "yes"); // WRITE
        REQUIRE(a.ask("enum h e") == "write");
    }

    std::string line(std::size_t count) const { return "h " + b.pid() + " 7 " + std::to_string(count); }
    // A thread of A gives, and waits.
    void give(std::size_t count, const std::string& limit = "10000")
    {
        REQUIRE(a.ask("start t hand_over " + line(count) + " " + limit) == "ok");
        CHECK(eventually([&] { return records_in_use(segment) == 2; }));
    }
    std::string answer() { return a.ask("join t"); }

    // The giver goes on as if nothing had been.
    void check_that_it_is_back()
    {
        CHECK(a.ask("query h") == registration);
        CHECK(a.ask("handles h").substr(0, 2) == "1 ");
        CHECK(records_in_use(segment) == 1);
        x.send("more");
        CHECK(a.ask("wait e 10000") == "yes");
        CHECK(a.ask("enum h e") == "read");
        CHECK(a.ask("receive h 10") == "\"more\"");
        CHECK(a.ask("send h pong") == "4");
        CHECK(x.receive(4) == "pong");
        check_audit();
    }
    void check_audit()
    {
        sharedsock::error_code ec;
        segment->sweep();
        for (const auto& one : sharedsock::command::inspect(segment.name(), segment.options(), ec))
            FAIL_CHECK(one.text);
    }

    scratch_segment segment;
    peer a{segment.name()}, b{segment.name()};
    plain_listener listener;
    plain_socket x{-1};
    std::string registration;
};

} // namespace test
