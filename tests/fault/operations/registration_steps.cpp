// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace test {

using namespace scenes;
using namespace std::chrono_literals;

void add_registration_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    add({.name = "take over from the survivor",
         .run =
             [](stage& where, actor& who) {
                 who.member->take_over({where.shared.socket, who.own.handle}, some_events, 1);
             },
         .prepare = open,
         .done    = told,
         .after   = told_if_lost});
    add({.name = "register where no process is registered",
         .run =
             [](stage& where, actor& who) {
                 who.member->take_over({where.shared.socket, who.own.handle}, some_events, 1);
             },
         .scene   = give_up,
         .prepare = open});
    add({.name    = "register again",
         .run     = [](stage&, actor& who) { who.member->take_over(who.own, some_events, 1); },
         .prepare = own});
    add({.name = "cancel", .run = [](stage&, actor& who) { who.member->cancel(who.own.socket, who.epoch); }, .prepare = own});
    add({.name      = "cancel while the survivor stands by",
         .run       = [](stage&, actor& who) { who.member->cancel(who.own.socket, who.epoch); },
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});
    add({.name    = "cancel the survivor's",
         .run     = [](stage&, actor& who) { who.member->cancel(who.own.socket); },
         .prepare = open,
         .done    = told,
         .after   = told_if_lost});
    add({.name    = "claim",
         .run     = [](stage&, actor& who) { who.member->claim(who.member.slot(who.own.socket), who.epoch, read_event); },
         .prepare = own});
    add({.name = "finish", .run = finish, .prepare = claim});
    add({.name = "give a claim back",
         .run =
             [](stage&, actor& who) {
                 who.member->finish(who.member.slot(who.own.socket), who.own.socket.index, who.epoch, read_event);
             },
         .prepare = claim});
    add({.name      = "finish after the survivor took over",
         .run       = finish,
         .prepare   = claim,
         .meanwhile = take_back,
         .done      = woken,
         .after     = woken});
    add({.name    = "re-enable",
         .run     = [](stage&,
                   actor& who) { who.member->re_enable(who.member.slot(who.own.socket), who.own.socket.index, all_events); },
         .scene   = disarm,
         .prepare = open,
         .done    = re_armed,
         .after   = re_armed});
    add({.name    = "wait at the fence for a dead delivery",
         .run     = [](stage&, actor& who) { who.member->fence(who.own.socket, who.epoch, 1s, false); },
         .scene   = [](stage& where) { where.die_after(claim); },
         .prepare = own});
    add({.name    = "begin the delivery of what is not in the word",
         .run     = [](stage&, actor& who) { who.member->begin_delivery(who.member.slot(who.own.socket), who.epoch); },
         .prepare = own});

    const auto get_in_line_too = [](stage&, actor& who) {
        error_code ec;
        who.member->stand_by(who.own, some_events, ec);
    };
    add({.name = "stand by", .run = get_in_line_too, .prepare = open});
    add({.name = "stand by where no process is registered", .run = get_in_line_too, .scene = give_up, .prepare = open});
    add({.name = "stand down",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->stand_down(who.own, membership::turn_that_came::kept, ec);
             },
         .prepare = stand_by});
    add({.name = "pass on",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->pass_on(who.own, who.epoch, ec);
             },
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});
    add({.name = "stand down for good when its turn has come",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->stand_down(who.own, membership::turn_that_came::given_up, ec);
             },
         .prepare = stand_by,
         .meanwhile =
             [](stage& where) {
                 give_up(where); // to the actor
                 get_in_line(where);
             },
         .done  = succeeded,
         .after = succeeded});
}

} // namespace test
