// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The moves that operations, and the scenes before them, are made of.

#include "fault/operations/operations.hpp"

#include <cstdint>
#include <string>

namespace test::scenes {

inline constexpr std::uint64_t offer_nonce  = 97;
inline constexpr std::uint64_t giving_nonce = 99;        ///< of an acknowledged hand-over
inline constexpr process_identity some_process{1, 1, 1}; ///< of another pid namespace, so no process can say that it has ended

void expect(bool condition, const char* what); ///< throws if a scene does not come about
void expect(const error_code& ec, const char* what);

// Moves of an actor, which bring it to where the operation begins.
void attach(stage& where, actor& who);
void open(stage& where, actor& who);
void own(stage& where, actor& who);
void claim(stage& where, actor& who);
void create(stage& where, actor& who);
void stand_by(stage& where, actor& who);
void prepare_ticket(stage& where, actor& who);
void prepare_offer(stage& where, actor& who); ///< a ticket or a hand-over to the survivor
/// From here on the survivor has the message: it may take the handle, even if the actor dies.
void commit_offer(stage& where, actor& who);
void offer(stage& where, actor& who);          ///< both
void prepare_giving(stage& where, actor& who); ///< an acknowledged hand-over to the survivor
void give(stage& where, actor& who);           ///< and it is out
void give_to_the_dead(stage& where, actor& who);
void offer_the_only_handle(stage& where, actor& who);
void prepare_offer_to_the_dead(stage& where, actor& who);
void prepare_offer_by_pid_to_the_dead(stage& where, actor& who);
void finish(stage& where, actor& who);
void close(stage& where, actor& who);
void sweep(stage& where, actor& who);

// Moves of the survivor.
void give_up(stage& where);
void take_back(stage& where);
void get_in_line(stage& where);
void disarm(stage& where);
void open_succession(stage& where); ///< leaves the slot as a process that was stopped in `cancel`
void offer_to_actor(stage& where);
void keep_for_actor(stage& where);
void begin_offer_to_actor(stage& where);
void offer_by_pid_to_the_dead(stage& where); ///< the process goes on: it has executed another program
void take_from_actor(stage& where);
void begin_giving_to_actor(stage& where); ///< an acknowledged hand-over
void give_to_actor(stage& where);         ///< and it is out
void take_given_from_actor(stage& where);
void fill_maps(stage& where);
void remove_bell(stage& where);

// Deaths that are swept.
void die_attached(stage& where);
void die_building(stage& where);
void die_locking(stage& where);
void die_offering(stage& where);
void die_withdrawing(stage& where);
void die_giving_what_is_declined(stage& where);
void die_sweeping(stage& where); ///< half way, in the sweep of a process that is dead already

// Verdicts: each says what is wrong; empty if nothing is.
std::string told_if_lost(stage& where); ///< the loser of a registration is told
std::string told(stage& where);
std::string woken(stage& where);
std::string re_armed(stage& where);
std::string succeeded(stage& where);
std::string told_if_succeeded(stage& where);
std::string ticket_held(stage& where);
std::string ticket_kept(stage& where);      ///< the source has the ticket by pid again
std::string adoptable(stage& where);        ///< the survivor adopts the actor's socket, which then has one slot
std::string handed_over(stage& where);      ///< the survivor may take the offered handle, as the message says
std::string still_handing(stage& where);    ///< the actor can still hand over
std::string taken(stage& where);            ///< the survivor, which gave, is told that the actor has taken it
std::string declined(stage& where);         ///< the survivor, which gave, is told that the actor does not want it
std::string settled_or_waits(stage& where); ///< the survivor, which gave, has it back or can have it; or the actor had it
std::string recalled(stage& where);         ///< the survivor cannot take what the actor has recalled
std::string still_here(stage& where);       ///< nothing is left of an offer to a dead process but the actor's own handle

} // namespace test::scenes
