// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/wire.hpp"
#include "support/catch.hpp"

#include <sharedsock/hand_over.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wire = sharedsock::restart::detail::wire;
using wire::kind;
using wire::verdict;

namespace {

std::vector<std::byte> bytes_of(const std::string& text)
{
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

wire::message gift()
{
    wire::message one;
    one.what   = kind::gift;
    one.number = 7;
    one.tag    = 0xfedc'ba98'7654'3210;
    one.size   = 4;
    one.bytes  = bytes_of("half");
    return one;
}

// A message with a field that no version knows.
std::vector<std::byte> with_field(std::vector<std::byte> message, std::uint8_t id, bool required, std::size_t value_bytes)
{
    message[8] = static_cast<std::byte>(std::to_integer<std::size_t>(message[8]) + 8 + value_bytes); // short enough for one byte
    for (const std::size_t one : {std::size_t{id}, std::size_t{0}, std::size_t{required}, std::size_t{0}, value_bytes,
                                  std::size_t{0}, std::size_t{0}, std::size_t{0}})
        message.push_back(static_cast<std::byte>(one));
    message.resize(message.size() + value_bytes);
    return message;
}

} // namespace

TEST_CASE("every message of the restart protocol is decoded as it was encoded", "[restart]")
{
    wire::message one;
    one.name    = "http";
    one.text    = "a reason";
    one.library = "1.2.3";
    one.number  = 1;
    one.tag     = 2;
    one.pid     = 4;
    one.oldest  = 1;
    one.newest  = 5;
    one.layout  = 6;
    one.count   = 7;
    for (int what = 1; what <= 13; ++what) {
        INFO(what);
        one.what           = static_cast<kind>(what);
        const auto decoded = wire::decode(wire::encode(one));
        CHECK(decoded.is == verdict::good);
        CHECK(decoded.text == one);
        CHECK(decoded.skipped_fields == 0);
    }
    CHECK(wire::decode(wire::encode(gift())).text == gift());
}

TEST_CASE("the first bytes of a message stay as they are for all versions", "[restart]")
{
    wire::message ready;
    ready.what = kind::ready;
    CHECK(wire::encode(ready) == bytes_of(std::string("SRS1\x05\0\x01\0\0\0\0\0\0\0\0\0", 16)));
}

TEST_CASE("a field that is not known is skipped and counted, or not understood if it is required", "[restart]")
{
    const auto skipped = wire::decode(with_field(wire::encode(gift()), 77, false, 20));
    CHECK(skipped.is == verdict::good);
    CHECK(skipped.text == gift());
    CHECK(skipped.skipped_fields == 1);
    CHECK(wire::decode(with_field(wire::encode(gift()), 77, true, 0)).is == verdict::not_understood);
    CHECK(wire::decode(with_field(wire::encode(gift()), 20, false, 8)).is == verdict::good);
    CHECK(wire::decode(with_field(wire::encode(gift()), 20, false, 4)).is == verdict::malformed); // a number has eight bytes
}

TEST_CASE("a kind that is not known is skipped, or not understood if it is required", "[restart]")
{
    auto later = wire::encode(gift());
    later[4]   = std::byte{99};
    CHECK(wire::decode(later).is == verdict::not_understood);
    later[6] = std::byte{0};
    CHECK(wire::decode(later).is == verdict::skipped);
}

TEST_CASE("a message that is cut, longer than it says, or of no kind is malformed", "[restart]")
{
    const auto good = wire::encode(gift());
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(wire::decode(std::span(good).first(size)).is == verdict::malformed);
    auto longer = good;
    longer.push_back({});
    CHECK(wire::decode(longer).is == verdict::malformed);
    auto foreign = good;
    foreign[0]   = std::byte{'X'};
    CHECK(wire::decode(foreign).is == verdict::malformed);
}

TEST_CASE("a message whose parts contradict each other is malformed", "[restart]")
{
    const auto verdict_of = [](auto change) {
        wire::message one = gift();
        change(one);
        return wire::decode(wire::encode(one)).is;
    };
    CHECK(verdict_of([](wire::message& one) { one.number = 0; }) == verdict::malformed);
    CHECK(verdict_of([](wire::message& one) { one.size = 5; }) == verdict::malformed);
    CHECK(verdict_of([](wire::message& one) { one.in_memory = 1; }) == verdict::malformed);
    CHECK(verdict_of([](wire::message& one) { one.in_memory = 2; }) == verdict::malformed);
    const auto large = [](std::size_t size) {
        return [size](wire::message& one) {
            one.in_memory = 1;
            one.size      = size;
            one.bytes.clear();
        };
    };
    CHECK(verdict_of(large(sharedsock::max_carry)) == verdict::good);
    CHECK(verdict_of(large(sharedsock::max_carry + 1)) == verdict::malformed);
}

TEST_CASE("the protocol is the newest that both generations speak", "[restart]")
{
    CHECK(wire::common_protocol(1, 1) == 1u);
    CHECK(wire::common_protocol(1, 9) == 1u);
    CHECK_FALSE(wire::common_protocol(2, 9));
}

TEST_CASE("a reason that is too long is cut", "[restart]")
{
    wire::message declined;
    declined.what   = kind::declined;
    declined.number = 1;
    declined.text   = std::string(10'000, 'x');
    CHECK(wire::decode(wire::encode(declined)).text.text == std::string(wire::longest_text, 'x'));
}
