#include "layout/registration_word.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <optional>
#include <random>

using namespace sharedsock::detail;

namespace {

constexpr std::uint32_t last_epoch = registration_word::epoch_mask;
constexpr std::uint32_t on_read = 0x01, on_write = 0x02, on_close = 0x20;

registration_word owned(std::uint32_t process, std::uint32_t mask, std::uint32_t epoch = 7)
{
    return {epoch, process, no_index, mask, mask};
}

} // namespace

TEST_CASE("zero bytes are a registration word without an owner, and every part survives being stored")
{
    STATIC_REQUIRE(registration_word::decode(0) == registration_word{});
    STATIC_REQUIRE(registration_word{}.encode() == 0);
    for (const std::uint32_t process : {0u, 1u, max_processes - 1, no_index}) {
        for (const std::uint32_t epoch : {0u, 1u, last_epoch}) {
            const registration_word word{epoch, process, no_index, 0x3f, 0x21};
            CHECK(registration_word::decode(word.encode()) == word);
            const registration_word busy{epoch, no_index, process, 0x01, 0};
            CHECK(registration_word::decode(busy.encode()) == busy);
            const registration_word turn{epoch, process, process, 0x3f, 0x3f, true};
            CHECK(registration_word::decode(turn.encode()) == turn);
        }
    }
}

TEST_CASE("a take-over makes one owner in any state, arms its mask and leaves a delivery alone", "[REG-2]")
{
    const registration_word before{7, 1, 1, on_read, 0};
    const registration_word after = before.taken_over(2, on_write | on_close);
    CHECK(after == registration_word{8, 2, 1, on_write | on_close, on_write | on_close});
    CHECK(registration_word{}.taken_over(0, on_read) == registration_word{1, 0, no_index, on_read, on_read});
    CHECK(after.taken_over(2, on_read).epoch == 9); // again, by the same process
}

TEST_CASE("a process that is made owner has the registration by turn, until it is taken over, cancelled or swept")
{
    const registration_word turn = registration_word{7, 1, 1, on_read, 0}.turn_given(2, on_write);
    CHECK(turn == registration_word{8, 2, 1, on_write, on_write, true});
    const registration_word free = *turn.finished(1, 7, 0);
    CHECK(free.by_turn);
    CHECK(free.claimed(2, 8, on_write)->by_turn);
    CHECK(free.begun(2, 8)->by_turn);
    CHECK(free.begun(2, 8)->finished(2, 8, 0)->by_turn);
    CHECK(free.claimed(2, 8, on_write)->re_enabled(on_write)->by_turn);
    CHECK(turn.swept(1).by_turn);
    CHECK_FALSE(turn.swept(2).by_turn);
    CHECK_FALSE(turn.cancelled().by_turn);
    CHECK_FALSE(turn.taken_over(2, on_read).by_turn);
}

TEST_CASE("a cancellation leaves no owner and nothing armed, and a delivery goes on", "[REG-5]")
{
    CHECK(registration_word{7, 1, 1, on_read, on_read}.cancelled() == registration_word{8, no_index, 1, 0, 0});
}

TEST_CASE("the epoch never is zero again", "[fault-38]")
{
    const registration_word last = owned(1, on_read, last_epoch);
    CHECK(last.taken_over(2, on_read).epoch == 1);
    CHECK(last.cancelled().epoch == 1);
    CHECK(last.swept(1).epoch == 1);
    CHECK(registration_word::decode(last.taken_over(2, on_read).encode()).epoch == 1);
}

TEST_CASE("the later of two epochs is told across the wrap", "[fault-38]")
{
    STATIC_REQUIRE(later_epoch(1, 0));
    STATIC_REQUIRE(later_epoch(1, last_epoch));
    STATIC_REQUIRE_FALSE(later_epoch(last_epoch, 1));
    STATIC_REQUIRE_FALSE(later_epoch(5, 5));
    STATIC_REQUIRE(later_epoch(0x7f'ffff, 0));
    STATIC_REQUIRE_FALSE(later_epoch(0x80'0001, 0));
}

TEST_CASE("an owner of before the wrap can claim nothing after it", "[fault-38]")
{
    registration_word word = owned(1, on_read, last_epoch);
    word                   = word.taken_over(2, on_read);
    CHECK_FALSE(word.claimed(1, last_epoch, on_read));
    CHECK_FALSE(word.claimed(2, last_epoch, on_read));
    CHECK(word.claimed(2, 1, on_read));
}

TEST_CASE("a claim takes four conditions, and disarms the claimed events")
{
    const registration_word word = owned(1, on_read | on_close);
    const auto claimed           = word.claimed(1, 7, on_read);
    REQUIRE(claimed);
    CHECK(*claimed == registration_word{7, 1, 1, on_read | on_close, on_close});

    CHECK_FALSE(word.claimed(2, 7, on_read));                       // not the owner
    CHECK_FALSE(word.claimed(1, 6, on_read));                       // of an earlier registration
    CHECK_FALSE(claimed->claimed(1, 7, on_close));                  // a delivery is under way
    CHECK_FALSE(word.claimed(1, 7, on_write));                      // not armed
    CHECK_FALSE(registration_word{}.claimed(no_index, 0, on_read)); // no_index owns nothing
}

TEST_CASE("an event without an armed bit is delivered under the conditions of a claim", "[EVT-25]")
{
    const registration_word word{7, 1, no_index, on_read, on_read};
    const auto begun = word.begun(1, 7);
    REQUIRE(begun);
    CHECK(*begun == registration_word{7, 1, 1, on_read, on_read}); // nothing is disarmed
    CHECK_FALSE(word.begun(2, 7));                                 // not the owner
    CHECK_FALSE(word.begun(1, 6));                                 // of an earlier registration
    CHECK_FALSE(begun->begun(1, 7));                               // a delivery is under way
    CHECK_FALSE(begun->claimed(1, 7, on_read));
    CHECK(begun->finished(1, 7, 0) == word);
    const registration_word only_changes{7, 1, no_index, 0, 0};
    CHECK(only_changes.begun(1, 7));
}

TEST_CASE("the new owner waits for the old delivery, and claims after it")
{
    const registration_word gated = owned(1, on_read).claimed(1, 7, on_read)->taken_over(2, on_read);
    CHECK_FALSE(gated.claimed(2, 8, on_read));
    const auto open = gated.finished(1, 7, 0);
    REQUIRE(open);
    CHECK(open->claimed(2, 8, on_read));
}

TEST_CASE("an event that is given back is armed again, if the registration is still the same")
{
    const registration_word claimed = *owned(1, on_read).claimed(1, 7, on_read);
    CHECK(claimed.finished(1, 7, on_read)->armed == on_read);
    CHECK(claimed.finished(1, 7, on_write)->armed == 0); // never asked for
    CHECK(claimed.finished(1, 7, 0)->armed == 0);
    CHECK(claimed.taken_over(1, on_write).finished(1, 7, on_read)->armed == on_write);
    CHECK_FALSE(claimed.finished(2, 7, on_read)); // not its delivery
    CHECK_FALSE(claimed.finished(1, 7, on_read)->finished(1, 7, on_read));
}

TEST_CASE("a re-enabling call arms the events of the mask that are not armed", "[EVT-3]")
{
    const registration_word disarmed{7, 1, no_index, on_read | on_close, 0};
    CHECK(disarmed.re_enabled(on_read | on_write)->armed == on_read);
    CHECK_FALSE(disarmed.re_enabled(on_write));
    CHECK_FALSE(disarmed.re_enabled(on_read)->re_enabled(on_read));
    CHECK_FALSE(registration_word{}.re_enabled(on_read));
    CHECK(registration_word{7, 1, 1, on_read, 0}.re_enabled(on_read)->delivering == 1); // in the middle of a delivery
}

TEST_CASE("a sweep ends ownership and delivery of the dead and arms the events that it may have left", "[REG-18]")
{
    CHECK(owned(3, on_read).swept(3) == registration_word{8, no_index, no_index, 0, 0});
    CHECK(registration_word{7, 1, 3, on_read, 0}.swept(3) == registration_word{7, 1, no_index, on_read, on_read});
    CHECK(registration_word{7, 1, 2, on_read, 0}.swept(3) == registration_word{7, 1, 2, on_read, on_read});
    CHECK(registration_word{7, 3, 2, on_read, on_read}.swept(3) == registration_word{8, no_index, 2, 0, 0});
    const registration_word twice = registration_word{7, 3, 3, on_read, 0}.swept(3);
    CHECK(twice.swept(3) == twice); // idempotent
}

TEST_CASE("each move makes a word with at most one owner and one delivery, whatever the word was", "[fault-59]")
{
    std::mt19937_64 random(1);
    for (int round = 0; round < 100'000; ++round) {
        const std::uint64_t bits     = random() & ~(std::uint64_t{1} << 13);
        const registration_word word = registration_word::decode(bits);
        REQUIRE(word.encode() == bits); // every other bit means something
        const auto process = static_cast<std::uint32_t>(random() % max_processes);
        const auto events  = static_cast<std::uint32_t>(random());
        REQUIRE(word.taken_over(process, events).owned_by(process, word.next_epoch()));
        REQUIRE_FALSE(word.cancelled().owned());
        const registration_word swept = word.swept(process);
        REQUIRE(swept.owner != process);
        REQUIRE(swept.delivering != process);
        REQUIRE((swept.armed & ~swept.mask) == 0);
        if (const auto claimed = word.claimed(process, word.epoch, events)) {
            REQUIRE(word.owner == process);
            REQUIRE(claimed->delivering == process);
        }
        if (const auto armed = word.re_enabled(events)) {
            REQUIRE(armed->owner == word.owner);
        }
    }
}

TEST_CASE("a change of the registration word is applied once, and not at all if the move refuses")
{
    atomic_u64 cell{owned(1, on_read).encode()};
    const auto done = change(cell, [](const registration_word& word) { return word.claimed(1, 7, on_read); });
    REQUIRE(done);
    CHECK(done->first == owned(1, on_read));
    CHECK(done->second == load(cell));
    const auto before = load(cell);
    CHECK_FALSE(change(cell, [](const registration_word& word) { return word.claimed(1, 7, on_read); }));
    CHECK(load(cell) == before);
}

TEST_CASE("change tries again when another process was faster")
{
    atomic_u64 cell{owned(1, on_read).encode()};
    int tries       = 0;
    const auto done = change(cell, [&](const registration_word& word) {
        if (++tries == 1) {
            cell = owned(2, on_write, 8).encode();
        }
        return std::optional(word.taken_over(3, on_read));
    });
    CHECK(tries == 2);
    CHECK(done->first.owner == 2);
    CHECK(load(cell).epoch == 9);
}

TEST_CASE("the details of a registration survive being stored")
{
    const registration_details details{last_epoch, 3, 0xf, max_handles - 1};
    const auto again = registration_details::decode(details.encode());
    CHECK(again.epoch == details.epoch);
    CHECK(again.kind == details.kind);
    CHECK(again.high_mask == details.high_mask);
    CHECK(again.handle == details.handle);
}
