#include "layout/event_record.hpp"

#include "support/catch.hpp"

#include <cerrno>
#include <cstdint>
#include <random>

using namespace sharedsock::detail;

namespace {

constexpr std::uint32_t on_read = 0x01, on_connect = 0x10, on_close = 0x20;
constexpr std::uint32_t last_epoch = registration_word::epoch_mask;

event_record happened(std::uint32_t events, int connect_error = 0, int close_error = 0)
{
    event_record record;
    record.events        = events;
    record.connect_error = connect_error;
    record.close_error   = close_error;
    return record;
}

} // namespace

TEST_CASE("every part of an event record survives being stored")
{
    const event_record record{last_epoch, true, 0x3ff, ECONNREFUSED, ECONNRESET, ENETUNREACH};
    const event_record again = event_record::decode(record.encode());
    CHECK(again.epoch == last_epoch);
    CHECK(again.signal);
    CHECK(again.events == 0x3ff);
    CHECK(again.connect_error == ECONNREFUSED);
    CHECK(again.close_error == ECONNRESET);
    CHECK(again.routing_error == ENETUNREACH);
    CHECK(event_record::decode(0).encode() == 0);
}

TEST_CASE("events add up until they are collected, and collecting clears them", "[ENUM-1]")
{
    atomic_u64 cell{0};
    CHECK(record_events(cell, 5, happened(on_read)));
    CHECK(record_events(cell, 5, happened(on_connect, ECONNREFUSED)));
    CHECK(record_events(cell, 5, happened(on_close, 0, ECONNRESET)));
    const event_record found = collect_events(cell, 5, true);
    CHECK(found.events == (on_read | on_connect | on_close));
    CHECK(found.connect_error == ECONNREFUSED);
    CHECK(found.close_error == ECONNRESET);
    CHECK(collect_events(cell, 5, true).events == 0);
}

TEST_CASE("a new registration begins with an empty record", "[REG-6]")
{
    atomic_u64 cell{0};
    record_events(cell, 5, happened(on_read | on_close, 0, ECONNRESET));
    CHECK(collect_events(cell, 6, true).events == 0);
    record_events(cell, 6, happened(on_connect));
    const event_record found = collect_events(cell, 6, true);
    CHECK(found.events == on_connect);
    CHECK(found.close_error == 0);
}

TEST_CASE("a registration that was taken over records and collects nothing", "[REG-2]")
{
    atomic_u64 cell{0};
    record_events(cell, 6, happened(on_read));
    CHECK_FALSE(record_events(cell, 5, happened(on_close)));
    CHECK(collect_events(cell, 5, true).events == 0);
    CHECK_FALSE(take_signal(cell, 5));
    CHECK(collect_events(cell, 6, true).events == on_read);
}

TEST_CASE("a registration that was taken over records and collects nothing across the wrap of the epoch", "[fault-38]")
{
    atomic_u64 cell{0};
    record_events(cell, last_epoch, happened(on_read));
    CHECK(collect_events(cell, 1, true).events == 0); // the next registration
    CHECK(record_events(cell, 1, happened(on_connect)));
    CHECK_FALSE(record_events(cell, last_epoch, happened(on_read)));
    CHECK(collect_events(cell, last_epoch, true).events == 0);
    CHECK(collect_events(cell, 1, true).events == on_connect);
}

TEST_CASE("a signal that is due is taken once, or with the collection by the owner", "[ENUM-7]")
{
    atomic_u64 cell{0};
    event_record due = happened(on_read);
    due.signal       = true;
    record_events(cell, 5, due);
    CHECK(collect_events(cell, 5, false).events == on_read); // by another process: the owner's event object is still due
    CHECK(take_signal(cell, 5));
    CHECK_FALSE(take_signal(cell, 5));

    record_events(cell, 5, due);
    CHECK(collect_events(cell, 5, true).signal);
    CHECK_FALSE(take_signal(cell, 5));
}

TEST_CASE("a later error of an event replaces the earlier, and none does not")
{
    atomic_u64 cell{0};
    record_events(cell, 5, happened(on_close, 0, ECONNRESET));
    record_events(cell, 5, happened(on_read));
    record_events(cell, 5, happened(on_close, 0, ETIMEDOUT));
    record_events(cell, 5, happened(on_close));
    CHECK(collect_events(cell, 5, true).close_error == ETIMEDOUT);
}

TEST_CASE("recording and collecting end and are of one registration, whatever the record is", "[fault-59]")
{
    std::mt19937_64 random(1);
    for (int round = 0; round < 100'000; ++round) {
        atomic_u64 cell{random()};
        const auto epoch    = static_cast<std::uint32_t>(random()) & last_epoch;
        const bool recorded = record_events(cell, epoch, happened(on_read));
        REQUIRE(recorded == (load_record(cell).epoch == epoch));
        const event_record found = collect_events(cell, epoch, true);
        REQUIRE(found.epoch == epoch);
        REQUIRE(recorded == ((found.events & on_read) != 0));
        REQUIRE(collect_events(cell, epoch, true).events == 0);
    }
}
