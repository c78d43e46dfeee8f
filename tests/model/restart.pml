/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */

/* The gifts of a predecessor to its successor, step by step as src/restart/successor_link.cpp (the predecessor's end) and
 * src/restart/predecessor_link.cpp (the successor's end) have them: give, taken, the fence, the verdict, the end of the connection.
 * Each process may be killed between any two steps; the predecessor may lose its patience at any moment. The service itself
 * passes over in the same way: `over` is its gift, `serving` its `taken`.
 *
 * The properties: two processes never serve one connection; when all has come to rest, one of the living has it, unless it was in
 * the hands of a process that was killed; a connection that the predecessor has served again is not inherited with old bytes.
 *
 * Mutations, each of which must be found: see CMakeLists.txt. */

#ifndef N
#define N 2              /* gifts */
#endif
#ifndef KILLS
#define KILLS 1
#endif

chan to_s = [N] of { byte };       /* the queue of the successor's end: gifts */
chan to_p = [N] of { byte };       /* the queue of the predecessor's end: taken */
bit alive_p = 1, alive_s = 1;
bit open_p = 1, open_s = 1;        /* the two ends of the connection; the kernel closes those of a dead process */
bit refused, verdict;              /* shutdown(SHUT_RD) by the predecessor; the eventfd */
bit serves_p[N], serves_s[N];      /* the process may read from the connection and write to it */
bit keeps_p[N], has_s[N];          /* it has a descriptor, and waits */
bit was_sent[N], was_taken[N], was_back[N]; /* for the properties */
byte kills;

#define one_at_most(g) assert(!(serves_p[g] && serves_s[g]))

proctype Predecessor() provided (alive_p)
{
    byte g, i;
    do
    :: g < N ->
       d_step { serves_p[g] = 0; keeps_p[g] = 1 };
       d_step { if :: open_s -> to_s ! g; was_sent[g] = 1 :: else fi };                           /* sendmsg */
#ifdef CLOSES_WHEN_SENT
       d_step { keeps_p[g] = 0 };
#endif
       g++
    :: break                                                                     /* it may fail before it has given all */
    od;
    do
    :: d_step { nempty(to_p) -> to_p ? i; keeps_p[i] = 0; i = 0 }                /* closes its descriptor */
    :: break                                                                     /* the deadline; or the end of the other side */
    od;
#ifndef NO_FENCE
    refused = 1;
#endif
#ifndef TAKES_BACK_WITHOUT_READING
    do
    :: d_step { nempty(to_p) -> to_p ? i; keeps_p[i] = 0; i = 0 }
    :: empty(to_p) -> break
    od;
#endif
#ifndef VERDICT_LAST
#ifndef NO_VERDICT
    verdict = 1;
#endif
#endif
    g = 0;
    do
    :: g < N -> d_step { if :: keeps_p[g] -> keeps_p[g] = 0; serves_p[g] = 1; was_back[g] = 1; one_at_most(g) :: else fi; g++ }
    :: else -> break
    od;
#ifdef VERDICT_LAST
    verdict = 1;
#endif
    open_p = 0
}

proctype Successor() provided (alive_s)
{
    byte g, i; bit sent;
    do
    :: nempty(to_s) ->
       d_step { to_s ? g; has_s[g] = 1 };
#ifdef SERVES_BEFORE_TAKEN
       d_step { serves_s[g] = 1; one_at_most(g) };
#endif
       if
       :: skip;                                                                  /* takes it now */
          d_step { if :: open_p && !refused -> to_p ! g; sent = 1; was_taken[g] = 1 :: else -> sent = 0 fi };
          if
          :: d_step { sent -> has_s[g] = 0; serves_s[g] = 1; one_at_most(g); sent = 0; g = 0 }
          :: d_step { !sent ->
#ifdef SERVES_THOUGH_REFUSED
                      has_s[g] = 0; serves_s[g] = 1; one_at_most(g);
#endif
                      g = 0 }                                                    /* whose it is, the end of the connection tells */
          fi
       :: skip                                                                   /* not yet: its program has not looked */
       fi
    :: empty(to_s) && open_p && !refused ->                             /* a program that takes it later */
       d_step { i = 0; do :: i < N && !has_s[i] -> i++ :: else -> break od };
       if
       :: i < N ->
          d_step { if :: open_p && !refused -> to_p ! i; sent = 1; was_taken[i] = 1 :: else -> sent = 0 fi };
          if
          :: d_step { sent -> has_s[i] = 0; serves_s[i] = 1; one_at_most(i); sent = 0; i = 0 }
          :: else -> i = 0
          fi
       :: else -> i = 0; (nempty(to_s) || !open_p || refused)
       fi
    :: !open_p && empty(to_s) -> break                                           /* the end, after all that was sent */
    od;
    if
    :: verdict -> d_step { i = 0; do :: i < N -> has_s[i] = 0; i++ :: else -> break od }
    :: else ->                                                                   /* the predecessor was killed: inherits */
       i = 0;
       do
       :: i < N -> d_step { if :: has_s[i] -> assert(!was_back[i]); has_s[i] = 0; serves_s[i] = 1; one_at_most(i) :: else fi; i++ }
       :: else -> break
       od
    fi
}

proctype Killer()
{
    do
    :: d_step { kills < KILLS && alive_p -> kills++; alive_p = 0; open_p = 0 }
    :: d_step { kills < KILLS && alive_s -> kills++; alive_s = 0; open_s = 0 }
    :: break
    od
}

init
{
    byte g;
    atomic { do :: g < N -> serves_p[g] = 1; g++ :: else -> break od; g = 0; run Predecessor(); run Successor(); run Killer() };
    timeout ->
    d_step {
        do
        :: g < N ->
           one_at_most(g);
           if
           :: alive_p && alive_s -> assert(serves_p[g] || serves_s[g])
           :: alive_p && !alive_s -> assert(serves_p[g] || was_taken[g])
           :: !alive_p && alive_s -> assert(serves_s[g] || serves_p[g] || verdict || !was_sent[g])
           :: else
           fi;
           g++
        :: else -> break
        od;
        g = 0
    }
}
