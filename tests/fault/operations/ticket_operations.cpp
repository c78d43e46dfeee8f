// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/public_operations.hpp"

#include <cstddef>
#include <stdexcept>

#include <poll.h>

namespace ss = sharedsock;

namespace test {
namespace {

using v = victim;

// The size of a carry, and its tag too.
constexpr std::size_t in_message = 1'000;
constexpr std::size_t in_memory  = 100'000;

bool held(v& of) { return of.socket.handles().size() == 2; } // by the survivor as well
bool given_away(v& of) { return !of.socket.is_open() && of.records() == 0u; }

using state = ss::hand_over_state;

state state_of(v& of)
{
    ss::error_code why;
    return of.given.state(why);
}

// Again if it failed: then it has come back all the same.
void take_back(v& of)
{
    if (of.socket.is_open()) return;
    ss::error_code ec;
    of.socket = of.given.take_back(ec);
    if (ec) throw ss::system_error(ec);
}

void decline(v& of)
{
    if (state_of(of) == state::returned) return;
    const auto next = ss::peek_hand_over(of.segment);
    if (!next || !ss::decline_hand_over(of.segment, *next)) throw std::runtime_error("nothing to decline");
}

void expect_waiting(v& of)
{
    pollfd waits{ss::hand_over_handle(of.segment), POLLIN, 0};
    if (::poll(&waits, 1, 0) != 1) throw std::runtime_error("what was handed over is not shown");
}

} // namespace

void add_ticket_operations(operation_map& all)
{
    all["redeem"] = {.prepare = &v::attach, .act = [](v& of) { of.redeem(ss::ticket::from_text(of.ticket)); }, .holds = held};
    all["redeem what was delivered"]       = {.prepare = [](v& of) { of.offer(); },
                                              .act     = [](v& of) { of.more = ss::shared_socket::redeem(of.segment, of.made); },
                                              .holds   = [](v& of) { return of.socket.handles().size() == 3; }};
    all["duplicate for another"]           = {.prepare = &v::hold,
                                              .act     = [](v& of) { of.made = of.socket.duplicate(of.survivor()); },
                                              .holds   = [](v& of) { return of.socket.handles().size() == 3; }};
    all["duplicate for a process to come"] = {.prepare = &v::hold,
                                              .act     = [](v& of) { of.made = of.socket.duplicate_for_pid(1); },
                                              .holds   = [](v& of) { return of.socket.handles().size() == 3; }};
    all["revoke"]    = {.prepare = [](v& of) { of.offer(); }, .act = [](v& of) { of.segment.revoke(of.made); }, .holds = held};
    all["hand over"] = {
        .prepare = [](v& of) { of.own(); }, .act = [](v& of) { of.hand_over(of.survivor(), in_message); }, .holds = given_away};
    all["hand over more than a letter holds"] = {
        .prepare = &v::hold, .act = [](v& of) { of.hand_over(of.survivor(), in_memory); }, .holds = given_away};
    all["receive a hand-over"]             = {.prepare = [](v& of) { of.hold(), of.hand_over(of.segment.self(), in_message); },
                                              .act     = [](v& of) { of.receive(in_message); },
                                              .holds   = held};
    all["receive a hand-over from memory"] = {.prepare = [](v& of) { of.hold(), of.hand_over(of.segment.self(), in_memory); },
                                              .act     = [](v& of) { of.receive(in_memory); },
                                              .holds   = held};
    all["give"]                            = {.prepare = &v::hold,
                                              .act     = [](v& of) { of.give(of.survivor(), in_message); },
                                              .holds   = [](v& of) { return state_of(of) == state::pending; }};
    all["give more than a letter holds"]   = {.prepare = &v::hold,
                                              .act     = [](v& of) { of.give(of.survivor(), in_memory); },
                                              .holds   = [](v& of) { return state_of(of) == state::pending; }};
    all["take back what is given"]         = {.prepare = [](v& of) { of.hold(), of.give(of.survivor(), in_message); },
                                              .act     = [](v& of) { take_back(of); },
                                              .holds   = held};
    all["take what is given"]              = {.prepare = [](v& of) { of.hold(), of.give(of.segment.self(), in_message); },
                                              .act     = [](v& of) { of.receive(in_message); },
                                              .holds   = [](v& of) { return state_of(of) == state::taken && held(of); }};
    all["learn that it was taken"]         = {
                .prepare = [](v& of) { of.hold(), of.give(of.segment.self(), in_message), of.receive(in_message); },
                .act     = [](v& of) { state_of(of); },
                .holds   = held};
    all["decline what is given"] = {.prepare = [](v& of) { of.hold(), of.give(of.segment.self(), in_message); },
                                    .act     = decline,
                                    .holds   = [](v& of) { return state_of(of) == state::returned; }};
    all["wait for hand-overs"]   = {.prepare = [](v& of) { of.hold(), of.hand_over(of.segment.self(), in_message); },
                                    .act     = expect_waiting};
    all["publish"]               = {.prepare = &v::hold,
                                    .act     = [](v& of) { of.segment.publish("name", of.socket); },
                                    .holds   = [](v& of) { return of.segment.published().size() == 2; }};
    all["unpublish"]             = {.prepare = [](v& of) { of.hold(), of.segment.publish("name", of.socket); },
                                    .act     = [](v& of) { of.segment.unpublish("name"); },
                                    .holds   = [](v& of) { return of.segment.published().size() == 1; }};
    // Three handles: the victim's, the survivor's, and the ticket that was not redeemed.
    all["open by name"] = {.prepare = &v::attach,
                           .act     = [](v& of) { of.socket = ss::shared_socket::open_published(of.segment, "home"); },
                           .holds   = [](v& of) { return of.socket.handles().size() == 3; }};
}

} // namespace test
