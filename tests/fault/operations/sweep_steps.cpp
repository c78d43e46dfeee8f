// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/repair.hpp"
#include "fault/harness/scenes.hpp"

#include <utility>
#include <vector>

namespace test {

using namespace scenes;

namespace {

void repair(stage&, actor& who) { sharedsock::command::repair(who.member.self); }

} // namespace

void add_sweep_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    add({.name    = "sweep a process that owned",
         .run     = sweep,
         .scene   = [](stage& where) { where.die_after(own); },
         .prepare = attach,
         .done    = told,
         .after   = told});
    add({.name = "sweep a process that delivered, and had lost its registration",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 where.die_after(claim);
                 take_back(where);
             },
         .prepare = attach,
         .done    = woken,
         .after   = woken});
    add({.name = "sweep a process that had read and not re-enabled",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 disarm(where);
                 where.die_after(open);
             },
         .prepare = attach,
         .done    = re_armed,
         .after   = re_armed});
    add({.name = "sweep an owner while the survivor stands by",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 where.die_after(own);
                 get_in_line(where);
             },
         .prepare = attach,
         .done    = succeeded,
         .after   = succeeded});
    add({.name = "sweep a process that held a lock", .run = sweep, .scene = die_locking, .prepare = attach});
    add({.name = "sweep a process that held locks and no handle", .run = sweep, .scene = die_withdrawing, .prepare = attach});
    add({.name = "sweep a process that was building", .run = sweep, .scene = die_building, .prepare = attach});
    add({.name    = "sweep a process that had offered a ticket",
         .run     = sweep,
         .scene   = die_offering,
         .prepare = attach,
         .done    = ticket_held,
         .after   = ticket_held});
    add({.name    = "sweep a process to which a ticket by pid was offered",
         .run     = sweep,
         .scene   = offer_by_pid_to_the_dead,
         .prepare = attach,
         .done    = ticket_kept,
         .after   = ticket_kept});
    add({.name    = "sweep a process that was handing over",
         .run     = sweep,
         .scene   = [](stage& where) { where.die_after(prepare_offer); },
         .prepare = attach});
    add({.name = "sweep, and find a ticket for an incarnation that was swept",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 where.die_after([](stage& here, actor& who) {
                     who.member.attach();
                     here.told().dead = who.member->self();
                 });
                 where.survivor->sweep_dead();
                 where.die_after([](stage& here, actor& who) { // the same index, but not the incarnation of its ticket
                     prepare_ticket(here, who);
                     who.member->bytes().handle(who.ticket.index)->process_generation = here.told().dead.generation;
                     who.member->bytes().handle(who.ticket.index)->target_pid         = 0;
                     handle_table::move(who.member->bytes(), who.ticket, handle_state::handing, handle_state::offered, 6);
                 });
             },
         .prepare = attach});
    add({.name = "sweep a process, and one that died sweeping it",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 where.die_after(claim);
                 die_sweeping(where);
             },
         .prepare = attach,
         .done    = told,
         .after   = told});
    add({.name = "sweep a process, and two that died sweeping it",
         .run  = sweep,
         .scene =
             [](stage& where) {
                 where.die_after(own);
                 die_sweeping(where);
                 die_sweeping(where);
             },
         .prepare = attach,
         .done    = told,
         .after   = told});
    add({.name = "repair what is left by a process, and by one that died sweeping it",
         .run  = repair,
         .scene =
             [](stage& where) {
                 where.die_after(own);
                 get_in_line(where);
                 die_sweeping(where);
             },
         .prepare = attach,
         .done    = succeeded,
         .after   = succeeded});
    add({.name      = "repair while the survivor hands over",
         .run       = repair,
         .prepare   = attach,
         .meanwhile = begin_offer_to_actor,
         .done      = still_handing,
         .after     = still_handing});
}

} // namespace test
