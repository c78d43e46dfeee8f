// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// When a turn to accept ends.
#include "accept/accept_turn.hpp"

#include "support/catch.hpp"

using sharedsock::turn_options;
using sharedsock::turn_order;
using sharedsock::detail::turn_ends;

TEST_CASE("an acceptor alone in the accept queue keeps the turn, whatever it has accepted and however loaded it is")
{
    CHECK_FALSE(turn_ends({.accepted = 1'000, .others = 0, .load = 50, .least = 0}, {.batch = 1}));
    CHECK_FALSE(turn_ends({.accepted = 1'000, .others = 0, .load = 50, .least = 0}, {.order = turn_order::first_come, .batch = 1}));
}

TEST_CASE("a turn ends with the last connection of its batch, in either order")
{
    for (const turn_order order : {turn_order::first_come, turn_order::least_loaded}) {
        const turn_options how{.order = order, .batch = 4};
        CHECK_FALSE(turn_ends({.accepted = 3, .others = 1}, how));
        CHECK(turn_ends({.accepted = 4, .others = 1}, how));
        CHECK(turn_ends({.accepted = 5, .others = 1}, how)); // a move that failed is made up for
    }
}

TEST_CASE("a batch of one alternates strictly")
{
    CHECK(turn_ends({.accepted = 1, .others = 3}, {.order = turn_order::first_come, .batch = 1}));
    CHECK(turn_ends({.accepted = 1, .others = 3}, {.order = turn_order::least_loaded, .batch = 1}));
}

TEST_CASE("by load a turn ends early for an acceptor that had more to do than another")
{
    const turn_options how{.order = turn_order::least_loaded, .batch = 16};
    CHECK(turn_ends({.accepted = 1, .others = 2, .load = 3, .least = 2}, how));
    CHECK(turn_ends({.accepted = 16, .others = 2, .load = 3, .least = 2}, how));
    CHECK_FALSE(turn_ends({.accepted = 1, .others = 2, .load = 2, .least = 2}, how));
    CHECK_FALSE(turn_ends({.accepted = 1, .others = 2, .load = 0, .least = 5}, how));
}

TEST_CASE("the order of arrival does not ask for loads")
{
    CHECK_FALSE(turn_ends({.accepted = 1, .others = 2, .load = 90, .least = 0}, {.order = turn_order::first_come, .batch = 16}));
}
