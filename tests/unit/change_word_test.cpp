#include "layout/change_word.hpp"

#include "support/catch.hpp"

using sharedsock::detail::atomic_u32;
using sharedsock::detail::change_requests;
using sharedsock::detail::change_word;
using sharedsock::detail::load_requests;

TEST_CASE("a request for a change of the network is open until it is answered", "[EVT-25]")
{
    const change_word none;
    CHECK_FALSE(none.open());
    const change_word asked = none.with_request();
    CHECK(asked.open());
    CHECK_FALSE(asked.answering(asked).open());
    CHECK(none.encode() == 0);
    CHECK(change_word::decode(asked.encode()) == asked);
}

TEST_CASE("a request that comes while another is answered stays open", "[EVT-25]")
{
    const change_word then = change_word{}.with_request();
    const change_word now  = then.with_request();
    CHECK(now.answering(then).open());
    CHECK_FALSE(now.answering(now).open());
}

TEST_CASE("an answer that is late answers nothing that another has answered", "[EVT-25]")
{
    const change_word then     = change_word{}.with_request();
    const change_word answered = then.answering(then);
    const change_word again    = answered.with_request();
    CHECK(again.answering(then) == again);
    CHECK(again.open());
}

TEST_CASE("the counts of a change word wrap around, and never to no open request", "[EVT-25]")
{
    change_word word{0xffff, 0xffff};
    word = word.with_request();
    CHECK(word == change_word{0, 0xffff});
    CHECK(word.open());
    word = {5, 6};
    CHECK(word.with_request() == word);
    CHECK(word.open());
    CHECK_FALSE(word.answering(word).open());
}

TEST_CASE("requests for changes of the network are entered and answered in one step", "[EVT-25]")
{
    atomic_u32 cell{0};
    change_requests(cell, [](const change_word& now) { return now.with_request(); });
    CHECK(load_requests(cell) == change_word{1, 0});
}
