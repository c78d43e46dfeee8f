// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets that are false, or in the wrong hands.
#include "process/shared_stream.hpp"
#include "process/ticket/ticket_words.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace ss = sharedsock;
using test::either_family;
using test::malformed;
using test::shared_stream;
using test::used;
using test::wrong_process;

TEST_CASE("a ticket of another segment is refused, and stays good in its own", "[DUP-3][ERR-2][fault-64]")
{
    test::scratch_segment one, other;
    test::peer b(one.name());
    shared_stream s(one);
    const ss::ticket ticket = s.ticket_for(b);
    ss::error_code ec;
    ss::shared_socket::redeem(other, ticket, ec);
    CHECK(ec == ss::errc::ticket_foreign_segment);
    CHECK_FALSE(other->revoke(ticket, ec));
    CHECK(ec == ss::errc::ticket_foreign_segment);
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a forged ticket is refused, and the true one stays good", "[DUP-3][ERR-2][G9]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    shared_stream s(segment);
    const ss::ticket ticket = s.ticket_for(b);
    ss::ticket forged       = ticket;

    SECTION("with another nonce")
    {
        forged.nonce ^= 1;
        CHECK(redeem(b, forged) == used);
        CHECK_FALSE(segment->revoke(forged));
    }
    SECTION("with the nonce that an open handle has")
    {
        forged.handle            = static_cast<std::uint32_t>(s.socket.handle_id());
        forged.handle_generation = static_cast<std::uint32_t>(s.socket.handle_id() >> 32);
        forged.nonce             = 0;
        CHECK(redeem(b, forged) == used);
        CHECK_FALSE(segment->revoke(forged));
    }
    SECTION("with a handle that is none")
    {
        for (const std::uint32_t index : {forged.handle + 1, 1'000'000u, 0x7fff'ffffu, 0xffff'ffffu}) {
            forged.handle = index;
            CHECK(redeem(b, forged) == used);
            CHECK_FALSE(segment->revoke(forged));
        }
    }
    SECTION("with an earlier or later use of the handle")
    {
        for (const std::uint32_t step : {1u, 0xffff'ffffu}) {
            forged = ticket;
            forged.handle_generation += step;
            CHECK(redeem(b, forged) == used);
            CHECK_FALSE(segment->revoke(forged));
        }
    }
    SECTION("made out to the thief")
    {
        forged.target = test::id_of(segment, c);
        CHECK(redeem(c, forged) == wrong_process);
    }
    SECTION("made out to a pid")
    {
        forged.target     = {};
        forged.target_pid = c.process().pid();
        CHECK(redeem(c, forged) == wrong_process);
    }
    SECTION("of nothing")
    {
        CHECK(redeem(b, ss::ticket()) == malformed);
        ss::error_code ec;
        CHECK_FALSE(segment->revoke(ss::ticket(), ec));
        CHECK(ec == std::errc::invalid_argument);
    }
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a live ticket of which any bit of the text is flipped is no ticket", "[ERR-2][fault-64]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    shared_stream s(segment);
    const ss::ticket ticket = s.ticket_for(b);
    const std::string text  = ticket.to_text();
    std::size_t refused     = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string flipped = text;
            flipped[at]         = static_cast<char>(flipped[at] ^ 1 << bit);
            ss::error_code ec;
            ss::shared_socket::redeem(segment, ss::ticket::from_text(flipped, ec), ec);
            refused += ec == std::errc::invalid_argument;
        }
    }
    CHECK(refused == 8 * text.size());
    CHECK(redeem(b, ticket) == "ok");
}

TEST_CASE("attempts of wrong processes do not use a ticket up", "[DUP-3][G9]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    shared_stream s(segment, either_family());
    const ss::ticket ticket = s.ticket_for(b);
    ss::error_code ec;
    for (int attempt = 0; attempt < 20; ++attempt) {
        CHECK(redeem(c, ticket) == wrong_process);
        ss::shared_socket::redeem(segment, ticket, ec);
        CHECK(ec == ss::errc::ticket_wrong_process);
    }
    CHECK(redeem(b, ticket) == "ok");
    CHECK(redeem(c, ticket) == used);
    CHECK(talk(b, s.x));
}

TEST_CASE("a ticket dies with its target: a process in the same place cannot replay it", "[DUP-3][DUP-14]")
{
    test::scratch_segment segment({.sockets = 4, .processes = 2}); // one place besides this process's
    shared_stream s(segment);
    ss::ticket ticket;
    {
        test::peer b(segment.name());
        ticket = s.ticket_for(b);
        end(b);
    }
    test::peer again(segment.name());
    CHECK(test::id_of(segment, again).index == ticket.target.index);
    CHECK(redeem(again, ticket) == used);
    CHECK(s.socket.handles().size() == 1);
    CHECK(redeem(again, s.ticket_for(again)) == "ok"); // a ticket for the new process is good
    CHECK(redeem(again, ticket, "g") == used);
    CHECK(talk(again, s.x));
}
