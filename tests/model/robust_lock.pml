/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */

/* The interprocess lock, word by word as src/store/robust_lock.cpp has it: try_lock, lock, sleep, unlock. The judge is the kernel's
 * lock on the byte of a process index (`gone`), which the kernel gives back some time after the death and never before. A dead
 * process's index may get a new incarnation, of another generation.
 *
 * The properties: two living processes are never inside together; no living process waits for ever, not even if the woken process
 * is killed. The limit of a wait (`patience`) is left out: here every process is as patient as can be.
 *
 * Mutations, each of which must be found: see CMakeLists.txt. */

#ifndef N
#define N 3
#endif
#ifndef LOCKS
#define LOCKS 1          /* by each process */
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef NEWCOMERS
#define NEWCOMERS 1      /* processes that take a dead process's index */
#endif

byte holder, of_generation; bit waiters;                        /* the word: index + 1, generation, waiters */
byte generation[N];                                             /* of the present incarnation of an index */
bit alive[N], byte_held[N], kill[N], asleep[N], woken[N], wants[N], inside[N];
byte kills, newcomers;

#ifdef lock_ignores_generation
#define gone(i, g) (!byte_held[i])
#else
#define gone(i, g) (!byte_held[i] || generation[i] != g)
#endif
#ifdef DEATH_IS_GUESSED
#define dead       (seen != 0)
#else
#define dead       (seen != 0 && ((seen != p + 1 && gone(seen - 1, seen_generation)) || (seen == p + 1 && seen_generation != generation[p])))
#endif
#define unchanged  (holder == seen && of_generation == seen_generation && waiters)
#define take(w)    holder = p + 1; of_generation = generation[p]; waiters = w; got = 1

inline enter_and_leave()
{
    d_step { inside[p] = 1; wants[p] = 0; q = 0; count = 0;
             do :: q < N -> count = count + inside[q]; q++ :: else -> break od; q = 0;
             assert(count == 1); count = 0 };
    inside[p] = 0;
    d_step { q = waiters; holder = 0; of_generation = 0; waiters = 0 };                   /* unlock: exchange(0) */
    d_step { if :: q -> q = 0; do :: q < N && !(asleep[q] && !woken[q]) -> q++ :: else -> break od;
                        if :: q < N -> woken[q] = 1 :: else fi                            /* FUTEX_WAKE of one */
                :: else
             fi; q = 0 }
}

proctype Process(byte p)
{
    byte seen, seen_generation, q, count, left = LOCKS; bit got, ask;
    {
        do
        :: d_step { left > 0 -> left--; wants[p] = 1; got = 0; ask = 1 };
           d_step { if :: holder == 0 -> take(0) :: else fi };                            /* try_lock */
           do
           :: got -> break
           :: else ->
              d_step { seen = holder; seen_generation = of_generation;                    /* load; the waiters bit by another exchange */
                       if :: holder == 0 -> take(1) :: else -> waiters = 1 fi };
              if :: got
                 :: !got && ask && dead ->
#ifdef TAKES_WHATEVER_IS_THERE
                    d_step { take(1) }
#else
                    d_step { if :: unchanged -> take(1) :: else fi }
#endif
                 :: !got && !(ask && dead) ->
                    d_step { if :: unchanged -> asleep[p] = 1; woken[p] = 0 :: else fi };  /* FUTEX_WAIT compares first */
                    if :: asleep[p] && woken[p] -> ask = 0
#ifndef SLEEPS_WITHOUT_LIMIT
                       :: asleep[p] && (dead || !unchanged) -> ask = 1   /* the slice is over; slices that would find nothing are left out */
#endif
                       :: !asleep[p] -> ask = 0
                    fi;
                    asleep[p] = 0
              fi
           od;
           skip;
           enter_and_leave()
        :: break
        od
    } unless { kill[p] };
    skip;
    d_step { if :: kill[p] -> alive[p] = 0; wants[p] = 0; asleep[p] = 0; inside[p] = 0 :: else fi };
    if :: !alive[p] ->
          byte_held[p] = 0;                                                               /* the kernel gives the byte back ... */
          if :: atomic { newcomers < NEWCOMERS -> newcomers++; generation[p]++; kill[p] = 0; byte_held[p] = 1; alive[p] = 1; run Process(p) }
             :: skip                                                                      /* ... and a new process may take it */
          fi
       :: else
    fi
}

proctype Killer()
{
    byte v;
    do :: d_step { kills < KILLS -> kills++ };
          if :: v = 0 :: v = 1 :: v = 2 fi;
          d_step { if :: v < N && alive[v] -> kill[v] = 1 :: else fi; v = 0 }
       :: break
    od
}

init
{
    byte i;
    atomic { do :: i < N -> alive[i] = 1; byte_held[i] = 1; run Process(i); i++ :: else -> break od; run Killer(); i = 0 };
    timeout -> d_step { do :: i < N -> assert(!(alive[i] && wants[i])); i++ :: else -> break od; i = 0 }
}
