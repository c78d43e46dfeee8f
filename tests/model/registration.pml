/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */

/* One socket, N processes with a handle each: registration, fence, delivery, re-enabling, the standby queue, closing and the sweep,
 * as the code does them. A step has the name of its function in src/:
 *
 *   take_over fence claim finish re_enable call_owner stand_by stand_down pass_on cancel     member/membership_registration.cpp
 *   slot_guard, ring_holders, close_handle, give_up_succession, sweep_if_dead                member/membership.cpp
 *   first_in_line succeed complete_turn join_line leave_line take_turn repair                tables/socket_table.cpp
 *   sweep release_registration sweep_handle sweep_slot_lock                                  member/recovery.cpp
 *   begin on_bell lose watch_holders                                                         events/local_registration.cpp
 *   on_edge deliver                                                                          events/local_registration_delivery.cpp
 *   select (select_events here)                                                              events/registering.cpp
 *
 * The word is changed by compare-and-swap: a d_step here. A process dies (`kill`) or stops (`stopped`) between any two steps;
 * a stopped process may go on. The kernel keeps an epoll entry, an edge and a bell for each process, and tells the processes that
 * watch of a death. Not here: the links of the list of handles (the stepper of tests/fault has them), the words of the lock
 * (robust_lock.pml), several threads in one process, weak memory. The model takes all atomics as sequentially consistent; in the
 * library some are weaker (docs/concurrency.md, "Memory order").
 *
 * The properties:
 *   P1  when a take-over has returned with its fence passed, no event of an older registration is delivered, and none is
 *       being delivered (G2)
 *   P2  one delivery at a time
 *   and when nothing moves any more, whichever processes have died or are stopped:
 *   P3  data, enabled, a living owner: it does not sleep (G4)
 *   P4  no dead process owns or delivers while a live one owns or waits for the events (a lock of the dead can be had)
 *   P5  a process that lost the registration knows it (G3)
 *   P6  the process that the word names as owner knows it, and no process stands by while none owns
 *
 * Each mutation -D<name> is a mistake that must be found; the ones with which the core is also built (tests/fault/mutations) have the
 * same names. CMakeLists.txt knows them, and the bounds with which they show. */

#ifndef N
#define N 2
#endif
#ifndef SELECTS
#define SELECTS 2        /* take-overs of all processes together; the other limits are totals too */
#endif
#ifndef STANDS
#define STANDS 0
#endif
#ifndef PASSES
#define PASSES 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef BYTES
#define BYTES 2          /* bytes that arrive */
#endif
#ifndef RECEIVES
#define RECEIVES 2       /* receiving calls of processes that deliver nothing then */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif

#define nobody N

/* The segment. */
byte epoch, owner = nobody, delivering = nobody; bit armed, by_turn; /* the registration word */
byte details;                                                   /* the epoch of the details; the handle is the owner's only one */
byte lock_of = nobody;                                          /* the slot's lock */
byte record_of[N]; bit held[N];                                 /* handle records: whose, and whether held */
byte order[N], counter; bit gone[N], standby_count;
byte byte_of[N]; bit unswept[N];                                /* a dead process's byte: the process that sweeps it */

/* The kernel. */
byte data, arrived;
bit alive[N], kill[N], stopped[N], entry[N], edge[N], bell[N];
byte deaths[N];                                                 /* by watching process: bits of the dead it knows of */

/* Each process's own memory. */
#define idle     0
#define standing 1
#define owning   2
#define lost     3
byte phase[N], mine[N];                                         /* the local registration, and its epoch as owner */
bit in_line[N];                                                 /* it stands by, and knows that it joined the queue */

/* The properties are about these. */
byte fenced_epoch, handlers, handler_epoch;
bit due[N];                                                     /* it has received, and not yet re-enabled */
bit inside[N];                                                  /* a call about the socket */
byte selects, stands, passes, cancels, closes, receives, kills, stops;

#define open(p)        (record_of[p] == p && held[p])
#define ring(p)        if :: p < N -> bell[p] = 1 :: else fi
#define watch(p)       entry[p] = 1; edge[p] = (data > 0)       /* EPOLL_CTL_ADD and MOD show what is true now */
#define forget(p)      entry[p] = 0; edge[p] = 0

#define is_dead(d)     (d < N && !alive[d])
#define note_dead(p, d) if :: (is_dead(d) && unswept[d] && held[d]) -> deaths[p] = deaths[p] | (1 << d) :: else fi

/* The owner finds in the list the records of processes that died before it looked; the kernel tells it of later deaths. */
#ifdef OWNER_DOES_NOT_WATCH
#define note_holders(p) skip
#elif N > 2
#define note_holders(p) note_dead(p, 0); note_dead(p, 1); note_dead(p, 2)
#else
#define note_holders(p) note_dead(p, 0); note_dead(p, 1)
#endif

inline ring_one(h) { d_step { if :: held[h] -> ring(record_of[h]) :: else fi } }
inline ring_holders()
{
    ring_one(0); ring_one(1);
#if N > 2
    ring_one(2)
#endif
}

#define better(h) (held[h] && order[h] != 0 && (next == nobody || order[h] < order[next]))
#define look_in_line(h) if :: better(h) -> next = h :: else fi
inline first_in_line() { next = nobody; look_in_line(0); look_in_line(1)
#if N > 2
    ; look_in_line(2)
#endif
}

inline join_line(p) { standby_count = 1; d_step { gone[p] = 0; counter++; order[p] = counter } }

/* The rest of a turn, once the word gave it to the first in the queue, `next`: nobody, if that has left since the choice. */
#ifdef A_TURN_FOR_WHO_HAS_LEFT
#define has_left(h) false
#else
#define has_left(h) gone[h]
#endif
inline take_back() { if :: owner == heir && epoch == given -> epoch++; owner = nobody; armed = 0; by_turn = 0 :: else fi }
inline complete_turn()
{
    d_step { if :: epoch == given -> details = given :: else fi };   /* enter */
    if :: d_step { !has_left(next) -> skip };
          order[next] = 0
       :: d_step { has_left(next) -> next = nobody; take_back() }
    fi
}

/* Completes what a dead lock holder has left half done: it has made a process owner, and perhaps not said through which handle. */
inline repair()
{
#ifndef A_TURN_OF_THE_DEAD_IS_NOT_COMPLETED
    d_step {
        next = nobody;
        heir = (by_turn -> owner : nobody);
        given = epoch;
        if :: heir != nobody && held[heir] && record_of[heir] == heir && (details == epoch || order[heir] != 0) -> next = heir
           :: else
        fi
    };
    if :: next != nobody -> complete_turn()
       :: d_step { next == nobody -> take_back() }
    fi;
    d_step { next = nobody; heir = nobody; given = 0 }
#else
    skip
#endif
}

/* --- the slot's lock ---------------------------------------------------------------------------------------------- */

/* Takes the lock if it is free or its holder is dead; gives up (`errc::lock_timeout`) only while its holder is stopped. */
inline lock(p)
{
    if
    :: d_step { lock_of == nobody -> lock_of = p; got = 1 }
    :: d_step { is_dead(lock_of) -> lock_of = p; got = 1 };
       repair();
#ifndef LOCK_OF_THE_DEAD_DOES_NOT_RING
       atomic { ring_holders() }
#endif
#if STOPS > 0
    :: d_step { lock_of < N && lock_of != p && stopped[lock_of] -> got = 0 }
#endif
    fi
}

/* ~slot_guard: lets the first in the queue succeed if no process owns the events, unlocks, and looks again: a process that could
   not wait for the lock relies on it. */
inline unlock(p)
{
    do
    :: succeed();
       lock_of = nobody;
#ifdef UNLOCK_DOES_NOT_LOOK_AGAIN
       break
#else
       if :: d_step { standby_count && owner == nobody && lock_of == nobody -> lock_of = p }
          :: atomic { !(standby_count && owner == nobody && lock_of == nobody) -> break }
       fi
#endif
    od;
    skip
}

inline succeed()
{
#ifndef UNLOCK_LETS_NOBODY_SUCCEED
    d_step {
        next = nobody;
        if :: standby_count -> first_in_line(); if :: next == nobody -> standby_count = 0 :: else -> heir = record_of[next] fi
           :: else
        fi
    };
    if :: d_step { next != nobody && owner == nobody -> epoch++; owner = heir; armed = 1; by_turn = 1; given = epoch };
          complete_turn();
#ifndef HEIR_IS_NOT_RUNG
          d_step { if :: next != nobody -> ring(heir) :: else fi; given = 0 } /* announce */
#else
          given = 0
#endif
       :: else
    fi
#else
    standby_count = 0
#endif
}

/* --- the steps of an owner ---------------------------------------------------------------------------------------- */

inline re_enable(p)
{
    if :: atomic { owner != nobody && !armed -> skip };          /* waits_for, a load before */
          d_step { if :: owner != nobody -> armed = 1 :: else fi; due[p] = 0 };
#ifndef re_enable_does_not_ring
          d_step { if :: owner == p -> edge[p] = 1               /* call_owner; look: as a job of this process */
                      :: else -> ring(owner)
                   fi }
#endif
       :: d_step { !(owner != nobody && !armed) -> due[p] = 0 }
    fi
}

inline receive(p)
{
    d_step { if :: data > 0 -> data-- :: else fi; due[p] = 1 };  /* a call that finds nothing re-enables too (EVT-2) */
    re_enable(p)
}

#define begin_handler(p) handlers++; handler_epoch = mine[p]; assert(mine[p] >= fenced_epoch) /* P1 */; assert(handlers == 1) /* P2 */

inline claim(p)
{
#ifdef claim_checks_then_acts
    got = (owner == p && epoch == mine[p] && delivering == nobody && armed);
    d_step { if :: got -> delivering = p; armed = 0; begin_handler(p) :: else fi }
#else
    d_step {
#ifdef CLAIM_IGNORES_DELIVERY
        got = (owner == p && epoch == mine[p] && armed);
#else
        got = (owner == p && epoch == mine[p] && delivering == nobody && armed);
#endif
        if :: got -> delivering = p; armed = 0; begin_handler(p) :: else fi
    }
#endif
}

inline finish(p)
{
    d_step { o = nobody; if :: delivering == p -> delivering = nobody; if :: owner != p || epoch != mine[p] -> o = owner :: else fi :: else fi };
#ifndef finish_does_not_ring
    d_step { ring(o); o = nobody }
#endif
}

/* deliver_to_event_object, dispatch: looks, claims, delivers. */
inline deliver(p)
{
    if :: d_step { !(owner == p && epoch == mine[p]) -> forget(p); phase[p] = lost }   /* lose */
       :: d_step { owner == p && epoch == mine[p] && (!armed || data == 0) -> skip }
       :: d_step { owner == p && epoch == mine[p] && armed && data > 0 -> skip };
          claim(p);
          if :: got ->
                if :: receive(p) :: skip fi;                     /* the handler may leave the data to others */
                d_step { handlers--; got = 0 };
                finish(p)
             :: else
          fi
    fi
}

inline on_edge(p)
{
    if :: d_step { phase[p] == owning -> edge[p] = 0 }; deliver(p)
       :: d_step { phase[p] != owning -> edge[p] = 0 }
    fi
}

#define promoted(p) (owner == p && by_turn && details == epoch && epoch != mine[p])

inline on_bell(p)
{
    bell[p] = 0;
    if
#ifndef A_TURN_THAT_WAS_MISSED_IS_FORGOTTEN
    :: d_step { phase[p] == standing && in_line[p] && !promoted(p) && order[p] == 0 ->
                in_line[p] = 0; phase[p] = lost }                /* its turn came and went: lose */
    :: d_step { phase[p] == standing && !promoted(p) && !(in_line[p] && order[p] == 0) -> note_holders(p) }
#else
    :: d_step { phase[p] == standing && !promoted(p) -> note_holders(p) }
#endif
    :: d_step { phase[p] == standing && promoted(p) -> mine[p] = epoch };
       order[p] = 0;                                             /* take_turn */
       d_step { phase[p] = owning; in_line[p] = 0; watch(p); note_holders(p) };
       deliver(p)
    :: d_step { phase[p] == owning && (owner != p || epoch != mine[p]) -> forget(p); phase[p] = lost }
    :: d_step { phase[p] == owning && owner == p && epoch == mine[p] -> skip }; deliver(p)
    :: d_step { phase[p] != standing && phase[p] != owning -> skip }
    fi
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

inline begin(p, at)
{
    d_step { phase[p] = owning; mine[p] = at; watch(p); note_holders(p) };
    d_step { if :: (owner == p && epoch == at) :: else -> forget(p); phase[p] = lost fi }
}

inline give_up_succession(p)
{
    d_step { if :: owner == p && by_turn && details == epoch -> epoch++; owner = nobody; armed = 0; by_turn = 0 :: else fi }
}

/* A turn that has come and was not looked at: kept, or given up. */
#define kept     0
#ifdef TURN_AT_A_REGISTRATION_IS_KEPT
#define given_up 0
#else
#define given_up 1
#endif
inline stand_down(p, what)
{
#ifndef STAND_DOWN_WAITS_FOR_THE_LOCK
    order[p] = 0; gone[p] = 1;                                   /* leave_line: also if the lock cannot be had */
#endif
    lock(p);
    if :: what -> give_up_succession(p) :: else fi;
    if :: got -> order[p] = 0; gone[p] = 1; unlock(p); got = 0 :: else fi;
    in_line[p] = 0
}

inline fence(p)
{
    do
    :: atomic { delivering == nobody || delivering == p -> taken = 1; break }
    :: atomic { owner != p || epoch != e -> break }              /* lost */
    :: atomic { delivering != nobody && delivering != p -> break } /* pending: the limit has passed */
    :: atomic { is_dead(delivering) && unswept[delivering] -> d = delivering }; sweep_if_dead(p)
    od;
    skip
}

inline select_events(p)
{
    d_step { was = phase[p]; if :: was != owning -> watch(p) :: else fi };   /* prepare */
    d_step { o = owner; epoch++; owner = p; armed = 1; by_turn = 0; e = epoch; must = (delivering != nobody && delivering != p) };
#ifndef TAKE_OVER_DOES_NOT_RING
    d_step { if :: o != p -> ring(o) :: else fi; o = nobody };   /* tell */
#endif
    if :: was == standing -> stand_down(p, given_up) :: else fi;
    begin(p, e);
    taken = !must;
#ifndef NO_FENCE
    if :: must -> fence(p) :: else fi;
#else
    taken = 1;
#endif
    d_step {
        if :: taken -> assert(handlers == 0 || handler_epoch >= e) /* P1 */; if :: e > fenced_epoch -> fenced_epoch = e :: else fi
           :: else
        fi;
        e = 0; was = 0
    };
    if :: taken && must && phase[p] == owning -> deliver(p) :: else fi;   /* look */
    d_step { must = 0; taken = 0 }
}

inline stand_by(p)
{
    d_step { phase[p] = standing; mine[p] = 0; in_line[p] = 0; forget(p) };
    lock(p);
    if :: got -> join_line(p); unlock(p); d_step { got = 0; in_line[p] = 1 }; on_bell(p)
       :: else -> phase[p] = idle
    fi
}

inline pass_on(p)
{
    d_step { e = mine[p]; phase[p] = standing; in_line[p] = 0; forget(p) };  /* stand_by_again */
    lock(p);
    if :: got ->
          d_step { first_in_line(); if :: next == p -> next = nobody :: next < N -> heir = record_of[next] :: else fi };
          if :: d_step { next != nobody && owner == p && epoch == e -> epoch++; owner = heir; armed = 1; by_turn = 1; pass = 1; given = epoch };
                complete_turn();
                given = 0;
                join_line(p); d_step { ring(heir) }
             :: else
          fi;
          unlock(p);
          got = 0
       :: else
    fi;
    if :: pass -> d_step { pass = 0; e = 0; in_line[p] = 1 }; on_bell(p)
       :: else ->                                                /* go_on */
          begin(p, e);
          e = 0;
          if :: phase[p] == owning -> deliver(p) :: else fi
    fi
}

inline cancel(p)
{
    if :: phase[p] == standing -> stand_down(p, kept) :: else fi; /* the turn is cancelled below */
    d_step { phase[p] = idle; forget(p)                          /* end_registration */
#ifdef CANCEL_ASKS_FOR_THE_LINE_FIRST
    ; must = standby_count
#endif
    };
    d_step { o = owner; if :: o != nobody -> epoch++; owner = nobody; armed = 0; by_turn = 0 :: else fi };
    d_step { if :: o != p -> ring(o) :: else fi                  /* tell */
#ifndef CANCEL_ASKS_FOR_THE_LINE_FIRST
    ; must = (o != nobody && standby_count)
#endif
    ; o = nobody };
    if :: must -> must = 0; lock(p); if :: got -> unlock(p); got = 0 :: else fi
       :: else
    fi
}

inline leave(h) { d_step { order[h] = 0; held[h] = 0 } }

inline close_handle(p)
{
    d_step { e = (phase[p] == owning -> mine[p] : 0); phase[p] = idle; forget(p) };
    d_step { if :: e != 0 && owner == p && epoch == e -> epoch++; owner = nobody; armed = 0; by_turn = 0 :: else fi; e = 0 };
    do :: lock(p); if :: got -> got = 0; break :: else fi od;    /* close_later, until it can be had */
    skip;
    give_up_succession(p);
    leave(p);
    if :: delivering == p -> finish(p) :: else fi;
    unlock(p);
    record_of[p] = nobody
}

/* --- the death of others ------------------------------------------------------------------------------------------ */

inline release_registration(d)
{
    d_step {
#ifndef sweep_forgets_delivery
        if :: delivering == d -> delivering = nobody :: else fi;
#endif
        if :: owner == d -> epoch++; owner = nobody; armed = 0; by_turn = 0
#ifndef sweep_does_not_rearm
           :: owner != d && owner != nobody -> armed = 1; due[d] = 0
#endif
           :: else
        fi
    };
#ifndef sweep_does_not_ring
    ring_holders()
#endif
}

inline sweep_handle(p, h)
{
    if :: d_step { record_of[h] == d && held[h] -> skip };
          lock(p);
          release_registration(d);
          if :: got ->
                record_of[h] = p;                                /* take: in the sweeper's name, as claimed */
                leave(h);
                unlock(p);
                d_step { record_of[h] = nobody; got = 0; heir = nobody }
             :: else -> complete = 0
          fi
       :: d_step { record_of[h] == d && !held[h] -> record_of[h] = nobody }  /* claimed: in no list */
       :: d_step { record_of[h] != d -> skip }
    fi
}

inline sweep_if_dead(p)
{
    d_step { taken = (is_dead(d) && unswept[d] && (byte_of[d] == nobody || !alive[byte_of[d]])); if :: taken -> byte_of[d] = p; complete = 1 :: else fi };
    if :: taken ->
          taken = 0;
          sweep_handle(p, 0); sweep_handle(p, 1);
#if N > 2
          sweep_handle(p, 2);
#endif
#ifndef sweep_forgets_locks
          if :: lock_of == d -> lock(p); if :: got -> unlock(p); got = 0 :: else -> complete = 0 fi   /* sweep_slot_lock */
             :: else
          fi;
#endif
          d_step { if :: complete -> unswept[d] = 0 :: else fi; byte_of[d] = nobody; complete = 0; d = nobody }
       :: else -> d = nobody
    fi
}

inline answer_deaths(p)
{
    d_step {
        if :: deaths[p] & 1 -> d = 0 :: else -> if :: deaths[p] & 2 -> d = 1 :: else -> d = 2 fi fi;
        deaths[p] = deaths[p] & ~(1 << d)
    };
    sweep_if_dead(p)
}

/* A call that has begun and not returned: its promises are not due while its process is stopped. */
#if STOPS > 0
#define enter(p) inside[p] = 1
#define quit(p)  d_step { next = nobody; heir = nobody; inside[p] = 0 }
#else
#define enter(p) next = nobody; heir = nobody
#define quit(p)  skip
#endif

/* --- the processes ------------------------------------------------------------------------------------------------ */

#if STOPS > 0
proctype Process(byte p) provided (!stopped[p])
#else
proctype Process(byte p)
#endif
{
    byte o = nobody, e, given, next = nobody, heir = nobody, d = nobody, was;
    bit got, taken, must, pass, complete;
    {
        do
        :: d_step { open(p) && selects < SELECTS -> selects++; enter(p) }; select_events(p); quit(p)
        :: d_step { open(p) && stands < STANDS && phase[p] != owning -> stands++; enter(p) }; stand_by(p); quit(p)
        :: d_step { open(p) && passes < PASSES && phase[p] == owning -> passes++; enter(p) }; pass_on(p); quit(p)
        :: d_step { open(p) && cancels < CANCELS -> cancels++; enter(p) }; cancel(p); quit(p)
        :: d_step { open(p) && closes < CLOSES -> closes++; enter(p) }; close_handle(p); quit(p)
        :: d_step { open(p) && receives < RECEIVES && data > 0 -> receives++; enter(p) }; receive(p); quit(p)
        :: d_step { edge[p] -> enter(p) }; on_edge(p); quit(p)
        :: d_step { bell[p] -> enter(p) }; on_bell(p); quit(p)
        :: d_step { deaths[p] != 0 -> enter(p) }; answer_deaths(p); quit(p)
        od
    } unless { kill[p] };
    d_step { /* the kernel ends it, and tells the watching processes */
        alive[p] = 0; inside[p] = 0; forget(p); bell[p] = 0; deaths[p] = 0; unswept[p] = 1;
        if :: delivering == p && handlers > 0 -> handlers = 0 :: else fi;
        e = 0;
        do
        :: e < N ->
            if :: alive[e] && (phase[e] == owning || phase[e] == standing) && record_of[p] == p ->
#ifndef OWNER_DOES_NOT_WATCH
                  deaths[e] = deaths[e] | (1 << p)
#else
                  skip
#endif
               :: else
            fi;
            e++
        :: else -> break
        od
    }
}

proctype Network()
{
    do
    :: d_step { arrived < BYTES -> arrived++; data++;
                if :: entry[0] -> edge[0] = 1 :: else fi;
                if :: entry[1] -> edge[1] = 1 :: else fi;
#if N > 2
                if :: entry[2] -> edge[2] = 1 :: else fi
#endif
              }
    :: arrived == BYTES -> break
    od
}

inline any_process() { if :: v = 0 :: v = 1
#if N > 2
    :: v = 2
#endif
    fi }

proctype Killer()
{
    byte v;
    do :: kills < KILLS -> any_process(); d_step { kills++; kill[v] = 1; stopped[v] = 0; v = 0 } :: break od
}

proctype Stopper()
{
    byte v;
    do :: stops < STOPS -> any_process(); d_step { stops++; if :: !kill[v] -> stopped[v] = 1 :: else fi };
          if :: d_step { stopped[v] = 0; v = 0 } :: break fi   /* SIGCONT, or never */
       :: break
    od
}

/* A stopped process is in the middle of a call about this socket: that call has not returned, and its promises are not due. */
#define stuck(p) (alive[p] && stopped[p] && (inside[p] || lock_of == p))
#if N > 2
#define excused  (stuck(0) || stuck(1) || stuck(2))
#define any_due  (due[0] || due[1] || due[2])
#else
#define excused  (stuck(0) || stuck(1))
#define any_due  (due[0] || due[1])
#endif
#define awake(p) (p < N && alive[p] && !stopped[p])

init
{
    byte i;
    atomic {
        i = 0;
        do :: i < N -> alive[i] = 1; record_of[i] = i; held[i] = 1; byte_of[i] = nobody; i++ :: else -> break od;
        run Process(0); run Process(1);
#if N > 2
        run Process(2);
#endif
        run Network(); run Killer(); run Stopper()
    };
    timeout ->
    d_step {
        if :: excused
           :: else ->
              if :: awake(owner) ->
                    assert(!(data > 0 && (armed || any_due)))                          /* P3 */;
                    assert(phase[owner] == owning && mine[owner] == epoch)             /* P6: it knows */
                 :: else
              fi;
              i = 0;
              do
              :: i < N ->
                  if :: awake(i) && phase[i] == owning -> assert(owner == i && mine[i] == epoch) /* P5 */
                     :: awake(i) && phase[i] == standing && open(i) ->
                        assert(owner != nobody)                                        /* P6: succession */;
                        assert(!is_dead(owner))                                        /* P4 */
                     :: else
                  fi;
                  if :: awake(i) && phase[i] == owning -> assert(!is_dead(delivering)) /* P4 */ :: else fi;
                  i++
              :: else -> break
              od
        fi;
        i = 0
    }
}
