// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "scenes.hpp"

namespace test {

using namespace scenes;

void add_ticket_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    const auto offer_to_the_dead = [](stage& where, actor& who) {
        error_code ec;
        who.member->offer_ticket({where.shared.socket, who.ticket}, where.told().dead, ec);
    };
    const auto withdraw = [](stage&, actor& who) {
        error_code ec;
        who.member->withdraw_ticket(who.ticket, ec);
    };
    add({.name = "prepare a ticket", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->prepare_ticket(where.shared.socket, 77, ec);
         }, .prepare = open});
    add({.name = "offer a ticket", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->offer_ticket({where.shared.socket, who.ticket}, where.survivor->self(), ec);
         }, .prepare = prepare_ticket});
    add({.name = "offer a ticket to a dead process", .run = offer_to_the_dead, .scene = die_attached, .prepare = prepare_ticket});
    add({.name  = "offer a ticket to a dead process that was swept",
         .run   = offer_to_the_dead,
         .scene = [](stage& where) {
             die_attached(where);
             where.survivor->sweep_dead();
         },
         .prepare = prepare_ticket});
    add({.name = "keep a ticket", .run = [](stage&, actor& who) { who.member->keep_ticket(who.ticket, 1, 1); }, .prepare = prepare_ticket});
    add({.name = "withdraw a ticket", .run = withdraw, .prepare = offer_ticket});
    add({.name  = "withdraw a ticket without a handle of its own",
         .run   = withdraw,
         .prepare = [](stage& where, actor& who) {
             attach(where, who);
             error_code ec;
             who.ticket = who.member->prepare_ticket(where.shared.socket, 77, ec);
             who.member->offer_ticket({where.shared.socket, who.ticket}, where.survivor->self(), ec);
             expect(ec, "offer_ticket");
         },
         .meanwhile = open_succession, // the handle that became the ticket was the only one: none leads to the actor's lock
         .done      = succeeded,
         .after     = told_if_succeeded});
    add({.name = "redeem a ticket",
         .run  = [](stage& where, actor& who) { who.member->redeem_offered(where.told().ticket); },
         .prepare   = attach,
         .meanwhile = offer_to_actor});
    add({.name = "redeem a kept ticket",
         .run  = [](stage& where, actor& who) { who.member->redeem_kept(where.told().ticket); },
         .prepare   = attach,
         .meanwhile = keep_for_actor});

    add({.name = "prepare a hand-over", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->prepare_hand_over(where.shared.socket, hand_over_nonce, where.survivor->self(), ec);
         }, .prepare = open});
    add({.name = "commit a hand-over", .run = commit_hand_over, .prepare = prepare_hand_over, .done = handed_over});
    add({.name = "commit a hand-over that was taken at once",
         .run  = commit_hand_over,
         .prepare   = prepare_hand_over,
         .meanwhile = take_from_actor});
    add({.name = "commit a hand-over to a dead process", .run = [](stage& where, actor& who) {
             who.member->commit_hand_over({where.shared.socket, who.ticket}, where.told().dead);
         }, .scene = die_attached, .prepare = [](stage& where, actor& who) {
             open(where, who);
             error_code ec;
             who.ticket = who.member->prepare_hand_over(where.shared.socket, hand_over_nonce, where.told().dead, ec);
             expect(ec, "prepare_hand_over");
         }, .done = still_here});
    add({.name = "take what is handed over",
         .run  = [](stage& where, actor& who) {
             who.member->take_handed(where.told().ticket, hand_over_nonce, where.survivor->self());
         },
         .prepare   = attach,
         .meanwhile = hand_to_actor});
    add({.name = "take what is being handed over",
         .run  = [](stage& where, actor& who) {
             who.member->take_handed(where.told().ticket, hand_over_nonce, where.survivor->self());
         },
         .prepare   = attach,
         .meanwhile = begin_handing_to_actor});
}

} // namespace test
