#include "layout/index_span.hpp"
#include "support/catch.hpp"
#include "table_fixture.hpp"

#include <cstdint>
#include <random>
#include <vector>

using namespace test;
using outcome = handle_table::claim_result::outcome;
using indexes = std::vector<std::uint32_t>;

namespace {

constexpr std::uint32_t the_socket = 2;

record_id claimed(table_view& bytes, std::uint32_t process = 1)
{
    const auto result = handle_table::claim(bytes, process, 9);
    REQUIRE(result.what == outcome::claimed);
    return result.id;
}

// A live socket without handles.
socket_slot& live(table_view& bytes)
{
    bytes.socket(the_socket)->life = slot_life{4, no_index, slot_state::live}.encode();
    return *bytes.socket(the_socket);
}

record_id held(table_view& bytes, std::uint32_t process = 1)
{
    const record_id id       = claimed(bytes, process);
    handle_record& record    = *bytes.handle(id.index);
    record.socket            = the_socket;
    record.socket_generation = 4;
    handle_table::link(bytes, *bytes.socket(the_socket), id.index);
    REQUIRE(handle_table::move(bytes, id, handle_state::claimed, handle_state::held, process));
    return id;
}

} // namespace

TEST_CASE("a claimed handle is one process's, about no socket yet, and lost to others")
{
    own_tables own;
    own.bytes.handle(0)->socket = the_socket; // of an earlier use
    const record_id first       = claimed(own.bytes, 1);
    CHECK(first.index == 0);
    CHECK(load(*own.bytes.handle(0)) == handle_life{0, 1, handle_state::claimed});
    CHECK(own.bytes.handle(0)->socket == no_index);
    CHECK(own.bytes.handle(0)->process_generation == 9);
    CHECK(claimed(own.bytes, 2).index == 1);
}

TEST_CASE("a freed handle is another one when it is used again: its old name finds nothing")
{
    own_tables own;
    const record_id first = claimed(own.bytes);
    CHECK(handle_table::find(own.bytes, first) != nullptr);
    handle_table::free(own.bytes, first);
    CHECK(handle_table::find(own.bytes, first) == nullptr);
    const record_id again = claimed(own.bytes);
    CHECK(again.index == first.index);
    CHECK(again.generation == first.generation + 1);
    handle_table::free(own.bytes, first); // a second time: it is another process's by now
    CHECK(handle_table::find(own.bytes, again) != nullptr);
    CHECK(handle_table::find(own.bytes, first) == nullptr);
    CHECK(handle_table::find(own.bytes, {99, 0}) == nullptr);
}

TEST_CASE("only a claimed record is freed, and the generation wraps", "[fault-38]")
{
    own_tables own;
    own.bytes.handle(0)->life = handle_life{0xffff'ffff, no_index, handle_state::free}.encode();
    live(own.bytes);
    const record_id id = held(own.bytes);
    CHECK(id.generation == 0xffff'ffff);
    handle_table::free(own.bytes, id);
    CHECK(handle_table::find(own.bytes, id) != nullptr);
    handle_table::move(own.bytes, id, handle_state::held, handle_state::claimed, 1);
    handle_table::free(own.bytes, id);
    CHECK(claimed(own.bytes) == record_id{0, 0});
}

TEST_CASE("a move checks which use of the record it is and its state, and one of two moves wins")
{
    own_tables own;
    const record_id id = claimed(own.bytes, 1);
    CHECK_FALSE(handle_table::move(own.bytes, id, handle_state::held, handle_state::offered, 2));
    CHECK_FALSE(handle_table::move(own.bytes, {id.index, id.generation + 1}, handle_state::claimed, handle_state::held, 1));
    CHECK(handle_table::move(own.bytes, id, handle_state::claimed, handle_state::offered, 2));
    CHECK(handle_table::move(own.bytes, id, handle_state::offered, handle_state::held, 2));          // redeemed
    CHECK_FALSE(handle_table::move(own.bytes, id, handle_state::offered, handle_state::claimed, 1)); // not revoked
    CHECK(load(*own.bytes.handle(id.index)).process == 2);
}

TEST_CASE("a full handle table says so, and one that lacks memory says where")
{
    own_tables own;
    own.bytes.header->handles_backed = 1;
    claimed(own.bytes);
    const auto next = handle_table::claim(own.bytes, 1, 9);
    CHECK(next.what == outcome::needs_pages);
    CHECK(next.id.index == 1);
    own.bytes.header->handles_backed = 16;
    for (int count = 1; count < 16; ++count) {
        claimed(own.bytes);
    }
    CHECK(handle_table::claim(own.bytes, 1, 9).what == outcome::full);
}

TEST_CASE("wrong hints cost time and nothing else")
{
    own_tables own;
    for (std::uint32_t index = 0; index < 16; ++index) {
        own.bytes.handle_map.set_used(index);
    }
    CHECK(claimed(own.bytes).index == 0);
    own.bytes.handle_map.set_free(0); // though it is in use
    CHECK(claimed(own.bytes).index == 1);
}

TEST_CASE("the list of a socket has each handle once, and any of them can go")
{
    for (std::uint32_t leaving = 0; leaving < 3; ++leaving) {
        own_tables own;
        socket_slot& slot = live(own.bytes);
        held(own.bytes), held(own.bytes), held(own.bytes);
        REQUIRE(list_of(own.bytes, the_socket) == indexes{2, 1, 0});
        handle_table::link(own.bytes, slot, 2); // repeated
        CHECK(list_of(own.bytes, the_socket) == indexes{2, 1, 0});
        CHECK(handle_table::unlink(own.bytes, slot, leaving));
        indexes expected{2, 1, 0};
        std::erase(expected, leaving);
        CHECK(list_of(own.bytes, the_socket) == expected);
        CHECK(handle_table::unlink(own.bytes, slot, leaving)); // not there: that counts as success
    }
}

TEST_CASE("a list that was left half changed at any step is made anew from the records")
{
    for (int step = 0; step < 7; ++step) {
        own_tables own;
        socket_slot& slot = live(own.bytes);
        held(own.bytes), held(own.bytes);
        const record_id joining = claimed(own.bytes);
        handle_record& record   = *own.bytes.handle(joining.index);
        if (step >= 1) record.socket_generation = 4;
        if (step >= 2) record.socket = the_socket;
        if (step >= 3) widen(slot.handles, joining.index);
        if (step >= 4) record.next = slot.first_handle.load();
        if (step >= 5) slot.first_handle = joining.index + 1;
        if (step >= 6) handle_table::move(own.bytes, joining, handle_state::claimed, handle_state::held, 1);
        handle_table::relink(own.bytes, the_socket);
        CHECK(list_of(own.bytes, the_socket) == (step >= 6 ? indexes{2, 1, 0} : indexes{1, 0}));
    }
}

TEST_CASE("a list that is made anew has only open handles and tickets of this use of the slot")
{
    own_tables own;
    live(own.bytes);
    const record_id open = held(own.bytes), offered = held(own.bytes), kept = held(own.bytes), gone = held(own.bytes),
                    other = held(own.bytes);
    handle_table::move(own.bytes, offered, handle_state::held, handle_state::offered, 2);
    handle_table::move(own.bytes, kept, handle_state::held, handle_state::kept, 1);
    handle_table::move(own.bytes, gone, handle_state::held, handle_state::claimed, 1);
    own.bytes.handle(other.index)->socket_generation = 3;
    handle_table::relink(own.bytes, the_socket);
    CHECK(list_of(own.bytes, the_socket) == indexes{kept.index, offered.index, open.index});
}

TEST_CASE("the list of a slot that a process builds is left to the builder, which has no lock")
{
    own_tables own;
    socket_slot& slot                             = *own.bytes.socket(the_socket);
    slot.life                                     = slot_life{4, 1, slot_state::building}.encode();
    const record_id id                            = claimed(own.bytes);
    own.bytes.handle(id.index)->socket            = the_socket;
    own.bytes.handle(id.index)->socket_generation = 4;
    handle_table::link(own.bytes, slot, id.index); // the record is still only claimed
    handle_table::relink(own.bytes, the_socket);
    CHECK(list_of(own.bytes, the_socket) == indexes{id.index});
}

TEST_CASE("no walk leaves the table or goes on for ever, whatever the records are", "[fault-57]")
{
    std::mt19937 random(1);
    const auto any = [&] { return static_cast<std::uint32_t>(random()); };
    own_tables own;
    for (int round = 0; round < 5'000; ++round) {
        for (std::uint32_t index = 0; index < 16; ++index) {
            handle_record& record = *own.bytes.handle(index);
            record.next           = random() % 4 == 0 ? any() : any() % 18;
            record.socket         = random() % 8 == 0 ? any() : the_socket;
            record.life           = std::uint64_t{random()} << 32 | random();
        }
        live(own.bytes).first_handle = any() % 18;
        list_of(own.bytes, the_socket);
        handle_table::unlink(own.bytes, *own.bytes.socket(the_socket), any() % 16);
        list_of(own.bytes, any());
        handle_table::claim(own.bytes, 1, 9);
        handle_table::relink(own.bytes, the_socket);
        REQUIRE(handle_table::for_each(own.bytes, the_socket, [](std::uint32_t, const handle_record&) { return true; }));
    }
}
