// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// When a turn to accept ends.
#include "accept_turn.hpp"

#include "support/catch.hpp"

using sharedsock::turn_options;
using sharedsock::turn_order;
using sharedsock::detail::decide;
using sharedsock::detail::turn_move;

TEST_CASE("whoever is alone in line keeps the turn, whatever it has accepted and however loaded it is")
{
    CHECK(decide({.accepted = 1'000, .others = 0, .load = 50, .least = 0}, {.batch = 1}) == turn_move::keep);
    CHECK(decide({.accepted = 1'000, .others = 0, .load = 50, .least = 0}, {.order = turn_order::first_come, .batch = 1}) == turn_move::keep);
}

TEST_CASE("a turn ends with the last connection of its batch, in either order")
{
    for (const turn_order order : {turn_order::first_come, turn_order::least_loaded}) {
        const turn_options how{.order = order, .batch = 4};
        CHECK(decide({.accepted = 3, .others = 1}, how) == turn_move::keep);
        CHECK(decide({.accepted = 4, .others = 1}, how) == turn_move::pass_on);
        CHECK(decide({.accepted = 5, .others = 1}, how) == turn_move::pass_on); // a move that failed is made up for
    }
}

TEST_CASE("a batch of one alternates strictly")
{
    CHECK(decide({.accepted = 1, .others = 3}, {.order = turn_order::first_come, .batch = 1}) == turn_move::pass_on);
    CHECK(decide({.accepted = 1, .others = 3}, {.order = turn_order::least_loaded, .batch = 1}) == turn_move::pass_on);
}

TEST_CASE("by load a turn ends early for whoever had more to do than another, and the others run first")
{
    const turn_options how{.order = turn_order::least_loaded, .batch = 16};
    CHECK(decide({.accepted = 1, .others = 2, .load = 3, .least = 2}, how) == turn_move::yield);
    CHECK(decide({.accepted = 16, .others = 2, .load = 3, .least = 2}, how) == turn_move::yield);
    CHECK(decide({.accepted = 1, .others = 2, .load = 2, .least = 2}, how) == turn_move::keep);
    CHECK(decide({.accepted = 1, .others = 2, .load = 0, .least = 5}, how) == turn_move::keep);
}

TEST_CASE("first come does not ask for loads")
{
    CHECK(decide({.accepted = 1, .others = 2, .load = 90, .least = 0}, {.order = turn_order::first_come, .batch = 16}) == turn_move::keep);
}
