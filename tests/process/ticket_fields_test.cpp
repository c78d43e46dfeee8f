// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets with a changed field and the right check sum.
#include "process/shared_stream.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ss = sharedsock;
using test::redeem;
using test::shared_stream;

namespace {

struct field {
    const char* name;
    int bits;
    std::function<void(ss::ticket&, int bit)> flip;
};

template <class Integer>
Integer flipped(Integer value, int bit)
{
    return static_cast<Integer>(value ^ static_cast<Integer>(std::uint64_t{1} << bit));
}

const std::vector<field>& fields()
{
    static const std::vector<field> all{
        {"segment", 128, [](ss::ticket& t, int bit) { t.segment[bit / 8] = flipped(t.segment[bit / 8], bit % 8); }},
        {"handle", 32, [](ss::ticket& t, int bit) { t.handle = flipped(t.handle, bit); }},
        {"handle_generation", 32, [](ss::ticket& t, int bit) { t.handle_generation = flipped(t.handle_generation, bit); }},
        {"nonce", 64, [](ss::ticket& t, int bit) { t.nonce = flipped(t.nonce, bit); }},
        {"target.index", 32, [](ss::ticket& t, int bit) { t.target.index = flipped(t.target.index, bit); }},
        {"target.generation", 32, [](ss::ticket& t, int bit) { t.target.generation = flipped(t.target.generation, bit); }},
        {"target_pid", 32, [](ss::ticket& t, int bit) { t.target_pid = flipped(t.target_pid, bit); }},
    };
    return all;
}

// Each ticket that differs from `good` in one bit, whichever, is refused by `redeem` and by `revoke`.
std::string accepted(const ss::ticket& good, const std::function<bool(const ss::ticket&)>& refused)
{
    std::string wrong;
    for (const field& one : fields())
        for (int bit = 0; bit < one.bits; ++bit) {
            ss::ticket changed = good;
            one.flip(changed, bit);
            if (!refused(changed)) wrong += std::string(one.name) + " bit " + std::to_string(bit) + '\n';
        }
    return wrong;
}

bool is_a_refusal(const ss::error_code& ec)
{
    return ec == ss::errc::ticket_malformed || ec == ss::errc::ticket_foreign_segment || ec == ss::errc::ticket_used;
}

} // namespace

TEST_CASE("a ticket in which one bit of any field was changed is refused by its target, which redeems the true one",
          "[DUP-3][G9][fault-107]")
{
    test::scratch_segment segment;
    shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate(segment->self());
    CHECK(accepted(ticket, [&](const ss::ticket& changed) {
              ss::error_code ec;
              const auto got = ss::shared_socket::redeem(segment, ss::ticket::from_bytes(changed.to_bytes()), ec);
              return !got.is_open() && is_a_refusal(ec);
          }).empty());
    CHECK(ss::shared_socket::redeem(segment, ticket).is_open());
}

TEST_CASE("a ticket for a process that had not attached is refused by it if one bit of any field was changed",
          "[DUP-3][G9][fault-107]")
{
    test::scratch_segment segment;
    test::newcomer target(segment.name());
    shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(target.pid());
    test::peer& there       = target.attach();
    CHECK(accepted(ticket, [&](const ss::ticket& changed) {
              return redeem(there, changed).find("error: invalid_argument, ticket_") == 0;
          }).empty());
    CHECK(served_by(*segment, there, "redeem h " + ticket.to_text()) == "ok");
}

TEST_CASE("a ticket in which one bit of any field was changed revokes nothing", "[DUP-8][G9][fault-107]")
{
    test::scratch_segment segment;
    test::newcomer target(segment.name());
    shared_stream s(segment);
    const bool kept         = GENERATE(false, true);
    const ss::ticket ticket = kept ? s.socket.duplicate_for_pid(target.pid()) : s.socket.duplicate(segment->self());
    CHECK(accepted(ticket, [&](const ss::ticket& changed) {
              ss::error_code ec;
              return !segment->revoke(changed, ec);
          }).empty());
    CHECK(segment->revoke(ticket));
    CHECK_FALSE(segment->revoke(ticket));
}

TEST_CASE("revoking a ticket by pid that was redeemed is no error", "[DUP-8][fault-107]")
{
    test::scratch_segment segment;
    test::newcomer target(segment.name());
    shared_stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(target.pid());
    REQUIRE(served_by(*segment, target.attach(), "redeem h " + ticket.to_text()) == "ok");
    ss::error_code ec;
    CHECK_FALSE(segment->revoke(ticket, ec));
    CHECK_FALSE(ec);
}
