// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"

#include <sharedsock/ticket.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::ticket;

namespace {

ticket sample()
{
    ticket value;
    for (std::size_t i = 0; i < value.segment.size(); ++i) {
        value.segment[i] = static_cast<std::uint8_t>(0xf0 + i);
    }
    value.handle            = 0x01020304;
    value.handle_generation = 0x05060708;
    value.nonce             = 0x1122334455667788;
    value.target            = {7, 9};
    value.target_pid        = -2;
    return value;
}

error_code refusal_of(std::span<const std::byte> bytes)
{
    error_code ec;
    const ticket value = ticket::from_bytes(bytes, ec);
    CHECK(value == ticket());
    return ec;
}

error_code refusal_of(const std::string& text)
{
    error_code ec;
    const ticket value = ticket::from_text(text, ec);
    CHECK(value == ticket());
    return ec;
}

} // namespace

TEST_CASE("a ticket survives its binary form and its text form", "[DUP-5]")
{
    ticket largest;
    largest.segment.fill(0xff);
    largest.handle = largest.handle_generation = std::numeric_limits<std::uint32_t>::max();
    largest.nonce                              = std::numeric_limits<std::uint64_t>::max();
    largest.target                             = {0, std::numeric_limits<std::uint32_t>::max()};
    largest.target_pid                         = std::numeric_limits<std::int32_t>::max();

    for (const ticket& value : {ticket(), sample(), largest}) {
        error_code ec = errc::ticket_used;
        CHECK(ticket::from_bytes(value.to_bytes(), ec) == value);
        CHECK_FALSE(ec);
        ec = errc::ticket_used;
        CHECK(ticket::from_text(value.to_text(), ec) == value);
        CHECK_FALSE(ec);
        CHECK(ticket::from_bytes(value.to_bytes()) == value);
        CHECK(ticket::from_text(value.to_text()) == value);
    }
}

TEST_CASE("the forms of a ticket are the same on every machine", "[DUP-5]")
{
    const std::string text = sample().to_text();
    REQUIRE(text.size() == 2 * ticket::size);
    CHECK(text.substr(0, 112) == "7373746b"                         // "sstk"
                                 "01000000"                         // version, flags
                                 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff" // segment
                                 "0403020108070605"                 // handle
                                 "8877665544332211"                 // nonce
                                 "0700000009000000"                 // target
                                 "feffffff00000000");               // pid
    CHECK(text.substr(112) == "b02001f30e649c17");                  // computed by another program
}

TEST_CASE("a ticket with any one bit flipped is refused", "[ERR-2][fault-64]")
{
    const auto good = sample().to_bytes();
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        auto bad = good;
        bad[bit / 8] ^= std::byte{1} << (bit % 8);
        INFO("bit " << bit);
        CHECK(refusal_of(bad) == errc::ticket_malformed);
    }
}

TEST_CASE("a ticket's text with any one bit flipped is refused, capital digits included", "[ERR-2][fault-64]")
{
    const std::string good = sample().to_text();
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        std::string bad = good;
        bad[bit / 8]    = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ 1u << (bit % 8));
        INFO("bit " << bit);
        CHECK(refusal_of(bad) == errc::ticket_malformed);
    }
}

TEST_CASE("bytes and text of any other size are not a ticket", "[ERR-2][fault-64]")
{
    const auto good        = sample().to_bytes();
    const std::string text = sample().to_text();
    for (std::size_t size = 0; size <= 200; ++size) {
        INFO("size " << size);
        std::vector<std::byte> bytes(good.begin(), good.end());
        bytes.resize(size);
        if (size != ticket::size) {
            CHECK(refusal_of(bytes) == errc::ticket_malformed);
        }
        std::string resized = text;
        resized.resize(size, '0');
        if (size != text.size()) {
            CHECK(refusal_of(resized) == errc::ticket_malformed);
        }
    }
    CHECK(refusal_of(" " + text.substr(1)) == errc::ticket_malformed);
    CHECK(refusal_of(std::string(128, '0')) == errc::ticket_malformed);
    CHECK(refusal_of(std::string(128, 'f')) == errc::ticket_malformed);
}

TEST_CASE("the throwing forms of the ticket functions name themselves", "[ERR-1][ERR-2]")
{
    CHECK_THROWS_WITH(ticket::from_bytes({}), test::contains("sharedsock::ticket::from_bytes"));
    CHECK_THROWS_WITH(ticket::from_text("x"), test::contains("sharedsock::ticket::from_text"));
    CHECK_THROWS_AS(ticket::from_text("x"), sharedsock::system_error);
}
