// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"

#include <utility>
#include <vector>

namespace test {

using namespace scenes;

namespace {

void take(stage& where, actor& who) { who.member->take_offered(where.told().ticket, giving_nonce, where.survivor->self()); }

void decline(stage& where, actor& who) { who.member->decline_offered(where.told().ticket, giving_nonce, where.survivor->self()); }

void recall(stage& where, actor& who)
{
    error_code ec;
    if (who.member->recall(who.ticket)) who.member->close_handle({where.shared.socket, who.ticket}, 0, ec);
}

} // namespace

void add_giving_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    // The actor gives to the survivor.
    add({.name    = "say that a hand-over is out",
         .run     = [](stage&, actor& who) { who.member->await_taker(who.ticket); },
         .prepare = prepare_giving});
    add({.name      = "say that a hand-over is out that was taken at once",
         .run       = [](stage&, actor& who) { who.member->await_taker(who.ticket); },
         .prepare   = prepare_giving,
         .meanwhile = take_given_from_actor});
    add({.name = "recall a hand-over", .run = recall, .prepare = give, .done = recalled});
    add({.name = "recall a hand-over that is just going out", .run = recall, .prepare = prepare_giving, .done = recalled});
    add({.name = "recall a hand-over that was taken", .run = recall, .prepare = give, .meanwhile = take_given_from_actor});

    // The survivor gives to the actor.
    add({.name      = "take what is given",
         .run       = take,
         .prepare   = attach,
         .meanwhile = give_to_actor,
         .done      = taken,
         .after     = settled_or_waits});
    add({.name      = "take what is just being given",
         .run       = take,
         .prepare   = attach,
         .meanwhile = begin_giving_to_actor,
         .done      = taken,
         .after     = settled_or_waits});
    add({.name      = "decline what is given",
         .run       = decline,
         .prepare   = attach,
         .meanwhile = give_to_actor,
         .done      = declined,
         .after     = settled_or_waits});

    // Sweeps.
    add({.name    = "sweep a process whose hand-over is out",
         .run     = sweep,
         .scene   = [](stage& where) { where.die_after(give); },
         .prepare = attach,
         .done    = ticket_held,
         .after   = ticket_held});
    add({.name = "sweep a process whose hand-over is out, to a dead one",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 die_attached(where);
                 where.die_after(give_to_the_dead);
             },
         .prepare = attach});
    add({.name    = "sweep a process whose hand-over was declined",
         .run     = sweep,
         .scene   = die_giving_what_is_declined,
         .prepare = attach});
}

} // namespace test
