// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An urgent byte arrives while a receive stands still before or after each of its system calls (EVT-14).
#include "conformance/hand_to.hpp"
#include "fault/harness/call_tracer.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

void say_urgent(const test::connection& s, char byte) { REQUIRE(::send(s.peer, &byte, 1, MSG_OOB | MSG_NOSIGNAL) == 1); }

std::string receive(ss::shared_socket& s, int flags)
{
    ss::error_code ec;
    std::string room(64, '\0');
    room.resize(s.receive(std::as_writable_bytes(std::span(room)), flags | MSG_DONTWAIT, ec));
    return room;
}

// The queue when the receive begins.
enum class before { nothing, data, mark_of_a_received_byte, unread_urgent_byte, mark_and_data };
constexpr std::array all_before = {before::nothing, before::data, before::mark_of_a_received_byte, before::unread_urgent_byte,
                                   before::mark_and_data};

// The number of ordinary bytes that S has yet to give.
std::size_t prepare(test::connection& s, before what)
{
    receive(s.socket, MSG_OOB); // from now on a receive keeps urgent bytes
    if (what == before::data) s.say("ab");
    if (what == before::nothing || what == before::data) return what == before::data ? 2 : 0;
    say_urgent(s, '!');
    if (what == before::unread_urgent_byte) return 0;
    REQUIRE(test::eventually([&] { return receive(s.socket, MSG_OOB) == "!"; }));
    if (what == before::mark_and_data) s.say("ab");
    return what == before::mark_and_data ? 2 : 0;
}

} // namespace

SHAREDSOCK_CHILD_ROLE("receives once at each word")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket s = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    ::signal(SIGUSR1, SIG_IGN);
    role.say("begins");
    while (role.hear()) {
        ::raise(SIGUSR1);
        const std::string got = receive(s, 0);
        ::raise(SIGUSR1);
        role.say(got);
    }
    return 0;
}

TEST_CASE("an urgent byte that arrives at any system call of a receive is not lost, nor an ordinary one", "[EVT-14][fault-181]")
{
    const int family  = GENERATE(AF_INET, AF_UNIX);
    const bool behind = GENERATE(false, true);
    int stops         = 0;
    for (const before queue : all_before)
        for (int at = 1, reached = 0; reached == at - 1; ++at, ++stops) {
            INFO("family " << family << ", queue " << static_cast<int>(queue) << ", stop " << at << ", data behind " << behind);
            test::scratch_segment segment;
            test::connection s(segment, family);
            test::child_process receiver("receives once at each word", {segment.name()});
            test::hand_to(receiver, segment, s.socket, "begins");
            const std::size_t ordinary = prepare(s, queue) + (behind ? 2 : 0);
            {
                test::call_tracer tracer(receiver.pid(), false);
                receiver.tell("receive");
                reached = 0;
                while (reached < at && tracer.next() != test::call_tracer::stop::over)
                    ++reached;
                say_urgent(s, '?');
                if (behind) s.say("cd");
                tracer.let_go();
            }
            std::string got = receiver.line();
            CHECK(test::eventually([&] { return got.size() >= ordinary || (got += receiver.ask("receive")).size() >= ordinary; }));
            CHECK(test::eventually([&] { return receive(s.socket, MSG_OOB) == "?"; }));
            CHECK(got.find('?') == std::string::npos);
        }
    std::printf("%d stops of a receive, an urgent byte at each\n", stops);
    CHECK(stops > 40);
}
