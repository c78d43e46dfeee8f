// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"

#include <utility>
#include <vector>

namespace test {

using namespace scenes;

void add_ticket_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    const auto commit_to_the_dead = [](stage& where, actor& who) {
        who.member->commit_offer({where.shared.socket, who.ticket}, where.told().dead);
    };
    const auto withdraw = [](stage&, actor& who) {
        error_code ec;
        who.member->withdraw_ticket(who.ticket, ec);
    };
    add({.name = "prepare a ticket",
         .run =
             [](stage& where, actor& who) {
                 error_code ec;
                 who.member->prepare_offer(where.shared.socket, 77, {}, ec, &some_process);
             },
         .prepare = open});
    add({.name    = "keep a ticket",
         .run     = [](stage&, actor& who) { who.member->keep_ticket(who.ticket); },
         .prepare = prepare_ticket});
    add({.name = "withdraw a ticket", .run = withdraw, .prepare = offer});
    add({.name = "withdraw a ticket whose source is about to say that it is one", .run = withdraw, .prepare = prepare_offer});
    add({.name      = "withdraw a ticket without a handle of its own",
         .run       = withdraw,
         .prepare   = offer_the_only_handle,
         .meanwhile = open_succession, // the handle that became the ticket was the only one: none leads to the actor's lock
         .done      = succeeded,
         .after     = told_if_succeeded});
    add({.name      = "redeem a kept ticket",
         .run       = [](stage& where, actor& who) { who.member->redeem_kept(where.told().ticket); },
         .prepare   = attach,
         .meanwhile = keep_for_actor});

    // A ticket for a process that is attached, or a hand-over to one.
    const auto take = [](stage& where, actor& who) {
        who.member->take_offered(where.told().ticket, offer_nonce, where.survivor->self());
    };
    add({.name = "prepare an offer",
         .run =
             [](stage& where, actor& who) {
                 error_code ec;
                 who.member->prepare_offer(where.shared.socket, offer_nonce, where.survivor->self(), ec);
             },
         .prepare = open});
    add({.name = "commit an offer", .run = commit_offer, .prepare = prepare_offer, .done = handed_over});
    add({.name      = "commit an offer that was taken at once",
         .run       = commit_offer,
         .prepare   = prepare_offer,
         .meanwhile = take_from_actor});
    add({.name    = "commit an offer to a dead process",
         .run     = commit_to_the_dead,
         .scene   = die_attached,
         .prepare = prepare_offer_to_the_dead,
         .done    = still_here});
    add({.name = "commit an offer to a dead process that was swept",
         .run  = commit_to_the_dead,
         .scene =
             [](stage& where) {
                 die_attached(where);
                 where.survivor->sweep_dead();
             },
         .prepare = prepare_offer_to_the_dead,
         .done    = still_here});
    add({.name    = "commit an offer by pid to a process that has executed another program",
         .run     = commit_to_the_dead,
         .scene   = die_attached,
         .prepare = prepare_offer_by_pid_to_the_dead,
         .done    = ticket_kept});
    add({.name = "return a ticket by pid to its source",
         .run =
             [](stage& where, actor& who) {
                 error_code ec;
                 who.member->return_ticket(where.told().ticket, ec);
             },
         .scene   = offer_by_pid_to_the_dead,
         .prepare = attach,
         .done    = ticket_kept,
         .after   = ticket_kept});
    add({.name = "take what is offered", .run = take, .prepare = attach, .meanwhile = offer_to_actor});
    add({.name = "take what is being offered", .run = take, .prepare = attach, .meanwhile = begin_offer_to_actor});
    add_giving_steps(list);
}

} // namespace test
