// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The moves that operations, and the scenes before them, are made of.

#include "fault/operations/operations.hpp"

namespace test::scenes {

inline constexpr std::uint64_t offer_nonce = 99;

void expect(bool condition, const char* what); ///< throws if a scene does not come about
void expect(const error_code& ec, const char* what);

// What actors do to come where it begins.
void attach(stage& where, actor& who);
void open(stage& where, actor& who);
void own(stage& where, actor& who);
void claim(stage& where, actor& who);
void create(stage& where, actor& who);
void stand_by(stage& where, actor& who);
void prepare_ticket(stage& where, actor& who);
void prepare_offer(stage& where, actor& who); ///< a ticket or a hand-over to the survivor
/// The letter is in the survivor's hands from here on: whatever becomes of the actor, it may take the handle.
void commit_offer(stage& where, actor& who);
void offer(stage& where, actor& who); ///< both
void offer_the_only_handle(stage& where, actor& who);
void prepare_offer_to_the_dead(stage& where, actor& who);
void finish(stage& where, actor& who);
void close(stage& where, actor& who);
void sweep(stage& where, actor& who);

// What the survivor does.
void give_up(stage& where);
void take_back(stage& where);
void get_in_line(stage& where);
void disarm(stage& where);
void open_succession(stage& where); ///< as a process leaves it that was stopped in `cancel`
void offer_to_actor(stage& where);
void keep_for_actor(stage& where);
void begin_offer_to_actor(stage& where);
void take_from_actor(stage& where);
void fill_maps(stage& where);
void remove_bell(stage& where);

// The dead that are swept.
void die_attached(stage& where);
void die_building(stage& where);
void die_locking(stage& where);
void die_offering(stage& where);
void die_withdrawing(stage& where);
void die_sweeping(stage& where); ///< half way, in the sweep of whoever is dead already

// What must be true; empty if it is.
std::string told_if_lost(stage& where); ///< the loser of a registration is told
std::string told(stage& where);
std::string woken(stage& where);
std::string re_armed(stage& where);
std::string succeeded(stage& where);
std::string told_if_succeeded(stage& where);
std::string ticket_held(stage& where);
std::string handed_over(stage& where);   ///< what was offered is the survivor's to take, as its letter says
std::string still_handing(stage& where); ///< who hands over can do so
std::string still_here(stage& where);    ///< of an offer to the dead nothing is left but the actor's own handle

} // namespace test::scenes
