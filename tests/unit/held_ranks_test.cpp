// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The locks that a thread may take beside those that it holds: the decision behind the check of a debug build.
#include "base/held_ranks.hpp"

#include "support/catch.hpp"

using sharedsock::detail::attachment_locks;
using sharedsock::detail::held_ranks;
using sharedsock::detail::lock_rank;

TEST_CASE("a thread that holds a lock may take locks of higher ranks only, and is told which one is in the way", "[fault-113]")
{
    held_ranks held;
    CHECK_FALSE(held.in_the_way_of(lock_rank::attachment));
    held.taken(lock_rank::attachment);
    CHECK_FALSE(held.in_the_way_of(lock_rank::handle));
    CHECK(held.in_the_way_of(lock_rank::attachment) == lock_rank::attachment); // another attachment's
    CHECK(held.in_the_way_of(lock_rank::local_registration) == lock_rank::attachment);
    held.taken(lock_rank::robust_lock);
    CHECK(held.in_the_way_of(lock_rank::handle) == lock_rank::robust_lock);
    CHECK(held.highest_held() == lock_rank::robust_lock);
}

TEST_CASE("a rank counts as held until its last lock is released, in whatever order locks are released", "[fault-113]")
{
    held_ranks held;
    held.taken(lock_rank::handle);
    held.taken(lock_rank::handle);
    held.taken(lock_rank::mailbox);
    held.released(lock_rank::handle);
    CHECK(held.in_the_way_of(lock_rank::handle) == lock_rank::mailbox);
    held.released(lock_rank::mailbox);
    CHECK(held.in_the_way_of(lock_rank::handle) == lock_rank::handle);
    held.released(lock_rank::handle);
    CHECK_FALSE(held.in_the_way_of(lock_rank::winsock_startup));
    CHECK_FALSE(held.highest_held());
}

TEST_CASE("the release of a lock that another thread has taken leaves the ranks of this thread as they are", "[fault-113]")
{
    held_ranks held;
    held.released(lock_rank::robust_lock);
    CHECK_FALSE(held.highest_held());
    held.taken(lock_rank::robust_lock);
    CHECK(held.count_of(lock_rank::robust_lock) == 1);
}

TEST_CASE("within a group any number of its locks are taken in any order, but none while a higher lock is held", "[fault-113]")
{
    held_ranks held;
    held.taken(lock_rank::fork_registry);
    for (int attachment = 0; attachment < 2; ++attachment) {
        held.begin_group(attachment_locks);
        for (const lock_rank one : {lock_rank::attachment, lock_rank::handle, lock_rank::handle, lock_rank::death_watch}) {
            CHECK_FALSE(held.in_the_way_of(one));
            held.taken(one);
        }
        CHECK_FALSE(held.in_the_way_of(lock_rank::liveness_registry));
        held.end_group();
    }
    CHECK(held.in_the_way_of(lock_rank::handle) == lock_rank::death_watch); // the group has ended, and its locks are held
    held.taken(lock_rank::event_poller);
    held.begin_group(attachment_locks);
    CHECK(held.in_the_way_of(lock_rank::attachment) == lock_rank::event_poller);
    CHECK(held.in_the_way_of(lock_rank::local_registration) == lock_rank::event_poller); // below the group
}

TEST_CASE("the only thread of a process may take locks in any order, but not twice a lock that exists once", "[fault-113]")
{
    held_ranks held;
    held.taken(lock_rank::fork_registry);
    held.taken(lock_rank::event_poller);
    held.set_alone(true);
    CHECK_FALSE(held.in_the_way_of(lock_rank::mailbox));
    CHECK_FALSE(held.in_the_way_of(lock_rank::event_poller)); // another poller's
    CHECK(held.in_the_way_of(lock_rank::fork_registry) == lock_rank::fork_registry);
    held.set_alone(false);
    CHECK(held.in_the_way_of(lock_rank::mailbox) == lock_rank::event_poller);
}
