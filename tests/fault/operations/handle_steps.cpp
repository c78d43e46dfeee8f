// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"
#include "member/name_table.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace test {

using namespace scenes;

void add_handle_steps(std::vector<operation>& list)
{
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    add({.name = "attach", .run = [](stage&, actor& who) {
             error_code ec;
             who.member->attach(ec);
         }});
    add({.name = "attach in the place of a dead owner",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->attach(ec);
             },
         .scene =
             [](stage& where) {
                 where.die_after(claim);
                 where.crowd();
             },
         .done  = told,
         .after = told});
    add({.name = "hang the bell",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member.bells.hang(who.member->self().index, ec);
             },
         .prepare =
             [](stage& where, actor& who) {
                 error_code ec;
                 who.member->attach(ec);
                 where.told().actor = who.member->self();
             },
         .meanwhile = remove_bell});
    add({.name = "detach",
         .run  = [](stage&, actor& who) { who.member->detach(); },
         .prepare =
             [](stage& where, actor& who) {
                 offer(where, who);
                 who.epoch = where.take_over(who.member, who.own);
                 who.member->claim(who.member.slot(who.own.socket), who.epoch, all_events);
             },
         .done  = told,
         .after = told_if_lost});

    add({.name = "create a socket",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->create_socket({.cookie = 2}, ec);
             },
         .prepare = attach});
    add({.name = "create a socket when all hints are wrong",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 who.member->create_socket({.cookie = 2}, ec);
             },
         .scene   = fill_maps,
         .prepare = attach});
    const auto adopt = [](std::uint64_t cookie) {
        return [cookie](stage&, actor& who) {
            error_code ec;
            bool joined = false;
            who.member->adopt_socket({.cookie = cookie}, joined, ec);
        };
    };
    add({.name = "adopt a socket", .run = adopt(2), .prepare = attach, .done = adoptable, .after = adoptable});
    add({.name = "adopt a socket that has a slot", .run = adopt(1), .prepare = attach});
    add({.name = "open a handle",
         .run =
             [](stage& where, actor& who) {
                 error_code ec;
                 who.member->open_handle(where.shared.socket, ec);
             },
         .prepare = attach});
    add({.name = "close a handle", .run = close, .prepare = open});
    add({.name = "close the last handle", .run = close, .prepare = create});
    add({.name      = "close the owner's handle",
         .run       = close,
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});
    add({.name      = "close in the middle of a delivery",
         .run       = close,
         .prepare   = claim,
         .meanwhile = take_back,
         .done      = woken,
         .after     = woken});

    add({.name = "publish a name",
         .run =
             [](stage& where, actor& who) {
                 error_code ec;
                 name_table::publish(who.member.self, "web", where.shared.socket, ec);
             },
         .prepare = open});
    add({.name = "unpublish a name",
         .run =
             [](stage&, actor& who) {
                 error_code ec;
                 name_table::unpublish(who.member.self, "web", ec);
             },
         .scene =
             [](stage& where) {
                 error_code ec;
                 name_table::publish(where.survivor.self, "web", where.shared.socket, ec);
                 expect(ec, "publish");
             },
         .prepare = attach});
}

} // namespace test
