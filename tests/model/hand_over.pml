/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */

/* The acknowledged hand-over, step by step as src/member/membership_offers.cpp and src/socket/giving.cpp have it: prepare, send,
 * await, take, decline, recall, and the sweep of the giver in src/member/recovery.cpp. The record's life word decides; the message
 * and the giver's descriptor are beside it, so that the model can say who could read the socket.
 *
 * There are a giver G, a taker T, and two sweepers. G and T may be killed before any step. T takes, declines, detaches, or does nothing
 * for ever, as one that hangs; it may come to its mailbox long after the giver has recalled, as one that was stopped. The giver looks
 * at first, when it is rung, when the taker is gone, and when its limit is over (LIMIT), which may be at any time. The kernel's lock
 * on a byte goes some time after the death; one process at a time sweeps an index. The freed record may get a new use (REUSE).
 *
 * The properties: never does each of the two take itself for the one that has the socket. A giver that lives believes what is true. It
 * does not wait for ever, unless the taker lives and does nothing. A taker finds what was out when its giver died. No record is left.
 *
 * Mutations, each of which must be found: see CMakeLists.txt. */

#ifndef KILLS
#define KILLS 2
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef REUSE
#define REUSE 1
#endif

#define FREE     0
#define CLAIMED  1
#define HELD     2
#define OFFERED  3
#define HANDING  4
#define GIVING   5
#define RETURNED 6
#define G 0
#define T 1
#define S 2

byte state, owner, generation;          /* the life word of the record */
bit message, box = 1;                   /* what lies in the taker's mailbox, and whether there is one */
bit dying[2], lives[2] = 1, swept[2], sweeping[2];   /* lives: the kernel's lock on the byte */
bit rung;                               /* the giver's doorbell */
bit out, reads = 1, told, is_taken, is_back;         /* the giver: its message is out and it has said so; it has the socket ... */
bit has, had, looked;                   /* the taker: has it; has ever had it; has done all it does */
bit left_to_nobody;                     /* the freed record was used again */
byte kills;

#ifdef LOOK_IGNORES_GENERATION
#define mine(st)     (state == st && owner == G)
#else
#define mine(st)     (state == st && owner == G && generation == 1)
#endif
#define is(st, o)    (state == st && owner == o && generation == 1)
#define become(st, o) state = st; owner = o
#define free_it      state = FREE; owner = 0; generation = 2
#define alone        assert(!(has && reads && lives[G] && !dying[G] && lives[T] && !dying[T]))

proctype Giver()
{
    bit waits = 1;
    {
#ifdef GIVING_BEFORE_THE_MESSAGE
        d_step { become(GIVING, G); generation = 1; reads = 0 };
#else
        d_step { become(HANDING, G); generation = 1; reads = 0 };                         /* prepare_offer */
#endif
        if
        :: d_step { box -> message = 1 }                                                  /* sendmsg(2) */
        :: d_step { !box -> is_back = 1; told = 1; reads = 1; waits = 0;                  /* target_gone: nothing was sent */
                    if :: is(HANDING, G) || is(GIVING, G) -> free_it :: else fi }
        fi;
        d_step { if :: waits -> out = 1; if :: is(HANDING, G) -> become(GIVING, G) :: else fi :: else fi };  /* await_taker */
        do
        :: !waits -> break
        :: waits ->
           d_step {                                                                       /* look */
               if :: mine(RETURNED) -> is_back = 1; told = 1; reads = 1; waits = 0; alone
                  :: !mine(RETURNED) && !mine(GIVING) && !mine(HANDING) -> is_taken = 1; told = 1; waits = 0
                  :: else
               fi };
           if
           :: waits ->
              if
              :: d_step { rung -> rung = 0 }
              :: LIMIT || !lives[T] || swept[T] ->                                        /* recall */
#ifdef RECALL_CHECKS_THEN_ACTS
                 if :: mine(GIVING) || mine(HANDING) ->
                       d_step { become(RETURNED, G); is_back = 1; told = 1; reads = 1; waits = 0; alone }
#else
                 if :: d_step { mine(GIVING) || mine(HANDING) -> become(RETURNED, G); is_back = 1; told = 1; reads = 1; waits = 0; alone }
#endif
                    :: else
                 fi
              fi
           :: else
           fi
        od;
        skip;
        d_step { if :: is(RETURNED, G) -> free_it :: else fi }                            /* give_up */
    } unless { dying[G] };
    if :: dying[G] -> lives[G] = 0 :: else fi
}

proctype Taker()
{
    bit from_giver, found;
    {
        if
        :: message ->
           d_step { message = 0;                                                          /* judge_offer */
                    found = is(HANDING, G) || is(GIVING, G) || is(OFFERED, T);
                    assert(found || !out || told) };
           if
           :: !found
           :: found ->                                                                    /* take_offered */
#ifdef TAKE_CHECKS_THEN_ACTS
              d_step { from_giver = 1; become(HELD, T); has = 1; had = 1; alone };
#else
              d_step { from_giver = is(HANDING, G) || is(GIVING, G);
                       if :: from_giver || is(OFFERED, T) -> become(HELD, T); has = 1; had = 1; alone :: else fi };
#endif
#ifndef TAKER_DOES_NOT_RING
              if :: from_giver -> rung = 1 :: else fi;
#endif
              if :: REUSE && has -> d_step { has = 0; free_it }                           /* it closes the socket */
                 :: skip
              fi
           :: found ->                                                                    /* decline_offered */
              d_step { from_giver = is(HANDING, G) || is(GIVING, G);
                       if :: from_giver -> become(RETURNED, G)
                          :: !from_giver && is(OFFERED, T) -> free_it                     /* no sender: closed here */
                          :: else fi };
              if :: from_giver -> rung = 1 :: else fi
           fi
        :: skip                                                                           /* it hangs, or leaves without having looked */
        fi;
        looked = 1;
        if
        :: skip
        :: d_step { from_giver = message; message = 0 };                                          /* close_mail */
           d_step { box = 0; message = 0 };
           d_step { has = 0; if :: is(HELD, T) || is(OFFERED, T) -> free_it :: else fi };         /* detach sweeps itself */
           d_step { swept[T] = 1; lives[T] = 0 };
           if :: from_giver -> rung = 1 :: else fi
        fi
    } unless { dying[T] };
    if :: dying[T] -> d_step { box = 0; message = 0; has = 0; lives[T] = 0 } :: else fi
}

/* Sweeps one index; the kernel's lock on the byte admits one sweeper at a time. It may die, and then the next begins anew. */
proctype Sweeper()
{
    byte saw, whose;
end:
    do
    :: d_step { !lives[T] && !sweeping[T] && (!swept[T] || is(OFFERED, T)) -> sweeping[T] = 1 };
       d_step { if :: is(HELD, T) || is(OFFERED, T) -> free_it :: else fi };
       d_step { swept[T] = 1; sweeping[T] = 0 }
    :: d_step { !lives[G] && !sweeping[G] && !swept[G] -> sweeping[G] = 1; saw = state; whose = owner;
                if :: generation != 1 -> saw = FREE :: else fi };
       do
       :: saw == FREE || (whose != G && whose != S) -> swept[G] = 1; break
       :: saw == GIVING && whose == G && lives[T] ->                                      /* pass_on_giving */
#ifdef sweep_frees_what_is_out
          d_step { if :: is(GIVING, G) -> free_it :: else fi }; swept[G] = 1; break
#else
          d_step { if :: is(GIVING, G) -> become(OFFERED, T); whose = T :: else saw = state; whose = owner;
                      if :: generation != 1 -> saw = FREE :: else fi fi }
#endif
       :: saw != FREE && whose == G && !(saw == GIVING && lives[T]) ->
          d_step { if :: is(saw, whose) -> become(CLAIMED, S); saw = CLAIMED; whose = S
#ifdef SWEEP_FORGETS_A_DECLINE
                      :: else -> saw = FREE
#else
                      :: else -> saw = state; whose = owner; if :: generation != 1 -> saw = FREE :: else fi
#endif
                   fi }
       :: saw == CLAIMED && whose == S -> d_step { free_it; saw = FREE }
       :: skip -> break                                                                   /* this sweeper dies */
       od;
       skip;
       d_step { sweeping[G] = 0; if :: is(CLAIMED, S) -> free_it :: else fi; saw = 0; whose = 0 }  /* its own sweep ends what it had */
    od
}

/* Another thread of the giver uses the freed record for another hand-over, which looks the same but for its generation. */
proctype Reuser()
{
    if :: d_step { REUSE && state == FREE && generation == 2 && lives[G] && !dying[G] -> become(GIVING, G); left_to_nobody = 1 }
       :: skip
    fi
}

proctype Killer()
{
    do :: d_step { kills < KILLS -> kills++ }; if :: dying[G] = 1 :: dying[T] = 1 fi
       :: break
    od
}

init
{
    atomic { run Giver(); run Taker(); run Sweeper(); run Sweeper(); run Reuser(); run Killer() };
    timeout -> d_step {
        if :: lives[G] && !dying[G] ->
              assert(told || (lives[T] && looked && message));                            /* the taker lives and does nothing */
              assert(!is_taken || had);
              assert(!is_back || !had)
           :: else fi;
        if :: !left_to_nobody ->
              assert(state == FREE || (state == HELD && lives[T]) ||
                     (lives[G] && !told) ||                                               /* still waits */
                     (state == OFFERED && lives[T] && message))                           /* still lies there */
           :: else fi }
}
