#include "support/catch.hpp"
#include "table_fixture.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

using namespace test;
using outcome = socket_table::build_result::outcome;
using indexes = std::vector<std::uint32_t>;

namespace {

constexpr std::uint32_t on_read = 0x01, on_close = 0x20;
constexpr socket_identity some_socket{.cookie = 77, .family = 2, .type = 1, .protocol = 6, .flags = flag_listening};

record_id claim(table_view& bytes, std::uint32_t process)
{
    const auto result = handle_table::claim(bytes, process, 1);
    REQUIRE(result.what == handle_table::claim_result::outcome::claimed);
    return result.id;
}

struct built {
    record_id handle;
    record_id socket;
};

built build(table_view& bytes, std::uint32_t process = 1)
{
    const record_id handle = claim(bytes, process);
    const auto result      = socket_table::build(bytes, handle, process, some_socket, 5);
    REQUIRE(result.what == outcome::built);
    return {handle, result.id};
}

record_id join(table_view& bytes, record_id socket, std::uint32_t process, handle_state as = handle_state::held)
{
    const record_id handle = claim(bytes, process);
    REQUIRE(socket_table::join(bytes, socket, handle, as, process));
    return handle;
}

registration_word word(table_view& bytes) { return load(bytes.socket(0)->registration); }

} // namespace

TEST_CASE("a built socket is live, has its identity and one handle, which is held")
{
    own_tables own;
    const built made = build(own.bytes);
    const auto* slot = socket_table::find(own.bytes, made.socket);
    REQUIRE(slot != nullptr);
    CHECK(slot->cookie == 77);
    CHECK(slot->flags == flag_listening);
    CHECK(list_of(own.bytes, made.socket.index) == indexes{made.handle.index});
    CHECK(load(*own.bytes.handle(made.handle.index)).state == handle_state::held);
    CHECK(build(own.bytes).socket.index == 1);
}

TEST_CASE("the socket lives as long as its last handle or ticket", "[G6]")
{
    own_tables own;
    const built made       = build(own.bytes);
    const record_id second = join(own.bytes, made.socket, 2);
    const record_id ticket = join(own.bytes, made.socket, 3, handle_state::offered);
    CHECK_FALSE(socket_table::leave(own.bytes, made.socket, made.handle, 1));
    CHECK_FALSE(socket_table::leave(own.bytes, made.socket, second, 2));
    CHECK(socket_table::find(own.bytes, made.socket) != nullptr);
    CHECK(socket_table::leave(own.bytes, made.socket, ticket, 3));
    CHECK(socket_table::find(own.bytes, made.socket) == nullptr);
}

TEST_CASE("a slot that is used again is another socket: its old name finds nothing, and nothing of the old is left")
{
    own_tables own;
    const built first = build(own.bytes);
    socket_slot& slot = *own.bytes.socket(0);
    change(slot.registration, [](const registration_word& now) { return std::optional(now.taken_over(1, on_read)); });
    slot.terminal_error   = 104;
    slot.urgent           = 0x1ff;
    slot.routing_requests = slot.address_requests = 0x0001'0000;
    const auto epoch                              = load(slot.registration).epoch;
    socket_table::leave(own.bytes, first.socket, first.handle, 1);
    handle_table::free(own.bytes, first.handle);

    const built again = build(own.bytes);
    CHECK(again.socket.index == first.socket.index);
    CHECK(again.socket.generation == first.socket.generation + 1);
    CHECK(socket_table::find(own.bytes, first.socket) == nullptr);
    CHECK_FALSE(socket_table::join(own.bytes, first.socket, claim(own.bytes, 2), handle_state::held, 2));
    CHECK(slot.terminal_error == 0);
    CHECK(slot.urgent == 0);
    CHECK(slot.routing_requests == 0);
    CHECK(slot.address_requests == 0);
    CHECK_FALSE(load(slot.registration).owned());
    CHECK(later_epoch(load(slot.registration).epoch, epoch)); // never reset
}

TEST_CASE("the last close ends the registration and the delivery")
{
    own_tables own;
    const built made                  = build(own.bytes);
    own.bytes.socket(0)->registration = registration_word{7, 1, 1, on_read, 0}.encode();
    socket_table::leave(own.bytes, made.socket, made.handle, 1);
    CHECK(word(own.bytes) == registration_word{8, no_index, no_index, 0, 0});
}

TEST_CASE("a full socket table says so, and one that lacks memory says where", "[fault-45]")
{
    own_tables own;
    own.bytes.header->sockets_backed = 1;
    build(own.bytes);
    const record_id handle = claim(own.bytes, 1);
    const auto next        = socket_table::build(own.bytes, handle, 1, some_socket, 5);
    CHECK(next.what == outcome::needs_pages);
    CHECK(next.id.index == 1);
    own.bytes.header->sockets_backed = 8;
    for (int count = 1; count < 8; ++count) {
        build(own.bytes);
    }
    CHECK(socket_table::build(own.bytes, handle, 1, some_socket, 5).what == outcome::full);
}

TEST_CASE("a handle leaves a list that is broken, and the others stay in it")
{
    own_tables own;
    const built made       = build(own.bytes);
    const record_id second = join(own.bytes, made.socket, 2), third = join(own.bytes, made.socket, 3);
    own.bytes.handle(third.index)->next = 99; // a stray write
    CHECK_FALSE(socket_table::leave(own.bytes, made.socket, made.handle, 1));
    CHECK(list_of(own.bytes, 0) == indexes{third.index, second.index});
}

TEST_CASE("a repair frees a slot whose last handle was leaving, and no other")
{
    own_tables own;
    const built made                  = build(own.bytes);
    own.bytes.socket(0)->first_handle = 0; // in the middle of a change
    socket_table::repair(own.bytes, 0);
    CHECK(list_of(own.bytes, 0) == indexes{made.handle.index});
    CHECK(socket_table::find(own.bytes, made.socket) != nullptr);

    handle_table::move(own.bytes, made.handle, handle_state::held, handle_state::claimed, 1);
    socket_table::repair(own.bytes, 0);
    CHECK(socket_table::find(own.bytes, made.socket) == nullptr);
    socket_table::repair(own.bytes, 0);
    CHECK(load(*own.bytes.socket(0)).generation == made.socket.generation + 1); // once
}

TEST_CASE("handles that stand by get their turns in the order in which they came")
{
    own_tables own;
    const built made       = build(own.bytes, 1);
    const record_id second = join(own.bytes, made.socket, 2), third = join(own.bytes, made.socket, 3);
    socket_slot& slot = *own.bytes.socket(0);
    slot.registration = registration_word{7, 1, no_index, on_read, on_read}.encode();
    CHECK(socket_table::succeed(own.bytes, 0) == no_index);
    socket_table::join_line(own.bytes, slot, third.index, on_close);
    socket_table::join_line(own.bytes, slot, second.index, on_read);
    CHECK(socket_table::first_in_line(own.bytes, 0) == third.index);
    CHECK(socket_table::succeed(own.bytes, 0) == no_index); // a process owns the events

    slot.registration = word(own.bytes).cancelled().encode();
    CHECK(socket_table::succeed(own.bytes, 0) == 3);
    CHECK(word(own.bytes) == registration_word{9, 3, no_index, on_close, on_close, true});
    CHECK(registration_details::decode(slot.details).handle == third.index);
    CHECK(socket_table::first_in_line(own.bytes, 0) == second.index);

    slot.registration = word(own.bytes).cancelled().encode();
    CHECK(socket_table::succeed(own.bytes, 0) == 2);
    slot.registration = word(own.bytes).cancelled().encode();
    CHECK(socket_table::succeed(own.bytes, 0) == no_index);
    CHECK_FALSE(word(own.bytes).owned());
}

TEST_CASE("a handle that leaves the standby queue, or closes, is passed over")
{
    own_tables own;
    const built made       = build(own.bytes, 1);
    const record_id second = join(own.bytes, made.socket, 2), third = join(own.bytes, made.socket, 3);
    socket_slot& slot = *own.bytes.socket(0);
    for (const record_id each : {made.handle, second, third}) {
        socket_table::join_line(own.bytes, slot, each.index, on_read);
    }
    socket_table::leave_line(own.bytes, made.handle.index);
    socket_table::leave(own.bytes, made.socket, second, 2);
    CHECK(socket_table::succeed(own.bytes, 0) == 3);
}

TEST_CASE("a handle that leaves the standby queue after it was chosen does not get the turn, and the next one does", "[fault-11]")
{
    own_tables own;
    const built made       = build(own.bytes, 1);
    const record_id second = join(own.bytes, made.socket, 2), third = join(own.bytes, made.socket, 3);
    socket_slot& slot = *own.bytes.socket(0);
    socket_table::join_line(own.bytes, slot, second.index, on_read);
    socket_table::join_line(own.bytes, slot, third.index, on_read);
    const std::uint32_t chosen = socket_table::first_in_line(own.bytes, 0);
    REQUIRE(chosen == second.index);
    socket_table::leave_line(own.bytes, second.index); // while the process that chose it is stopped
    CHECK(socket_table::give_turn(own.bytes, slot, chosen) == no_index);
    CHECK_FALSE(word(own.bytes).owned());
    CHECK(socket_table::succeed(own.bytes, 0) == 3);

    slot.registration = word(own.bytes).cancelled().encode();
    socket_table::join_line(own.bytes, slot, second.index, on_read);
    CHECK(socket_table::succeed(own.bytes, 0) == 2); // `second` stands by again
}

TEST_CASE("a record that says both that it stands by and that it has left is chosen once", "[G10]")
{
    own_tables own;
    const built made  = build(own.bytes, 1);
    socket_slot& slot = *own.bytes.socket(0);
    socket_table::join_line(own.bytes, slot, made.handle.index, on_read);
    own.bytes.handle(made.handle.index)->standby_mask = left_line; // no process could have written that
    CHECK(socket_table::succeed(own.bytes, 0) == no_index);
    CHECK(socket_table::succeed(own.bytes, 0) == no_index);
    CHECK_FALSE(socket_table::awaits_successor(own.bytes, 0)); // else a process that unlocks would look for ever
}

TEST_CASE("a handle that takes its turn before the giver is done keeps it")
{
    own_tables own;
    const built made  = build(own.bytes, 1);
    socket_slot& slot = *own.bytes.socket(0);
    socket_table::join_line(own.bytes, slot, made.handle.index, on_read);
    socket_table::take_turn(own.bytes, made.handle.index);
    CHECK(socket_table::give_turn(own.bytes, slot, made.handle.index) == 1);
    CHECK(word(own.bytes).owner == 1);
}

TEST_CASE("passing on is one step, and the passing handle joins the end of the standby queue")
{
    own_tables own;
    const built made       = build(own.bytes, 1);
    const record_id second = join(own.bytes, made.socket, 2), third = join(own.bytes, made.socket, 3);
    socket_slot& slot = *own.bytes.socket(0);
    slot.registration = registration_word{7, 1, no_index, on_read, 0}.encode();
    CHECK(socket_table::pass_on(own.bytes, 0, 1, 7, made.handle.index) == no_index); // no other handle stands by
    socket_table::join_line(own.bytes, slot, second.index, on_read);
    socket_table::join_line(own.bytes, slot, third.index, on_read);
    CHECK(socket_table::pass_on(own.bytes, 0, 1, 6, made.handle.index) == no_index); // of another epoch
    CHECK(socket_table::pass_on(own.bytes, 0, 1, 7, made.handle.index) == 2);
    CHECK(word(own.bytes) == registration_word{8, 2, no_index, on_read, on_read, true});
    CHECK(socket_table::pass_on(own.bytes, 0, 2, 8, second.index) == 3);
    CHECK(socket_table::pass_on(own.bytes, 0, 3, 9, third.index) == 1);
    CHECK(socket_table::first_in_line(own.bytes, 0) == second.index);
}

TEST_CASE("a turn whose giver died before the handle left the standby queue is given once more and no third time")
{
    own_tables own;
    const built made  = build(own.bytes, 1);
    socket_slot& slot = *own.bytes.socket(0);
    socket_table::join_line(own.bytes, slot, made.handle.index, on_read);
    const auto place = own.bytes.handle(made.handle.index)->standby_order.load();
    CHECK(socket_table::succeed(own.bytes, 0) == 1);
    own.bytes.handle(made.handle.index)->standby_order = place; // as it was before the giver's last step
    CHECK(socket_table::succeed(own.bytes, 0) == no_index);     // the handle owns already
    CHECK(word(own.bytes).epoch == 1);
}

TEST_CASE("a repair completes the turn of a giver that died", "[fault-11]")
{
    own_tables own;
    const built made      = build(own.bytes, 1);
    const record_id first = join(own.bytes, made.socket, 2), second = join(own.bytes, made.socket, 2);
    socket_slot& slot = *own.bytes.socket(0);
    socket_table::join_line(own.bytes, slot, made.handle.index, on_read);
    socket_table::join_line(own.bytes, slot, first.index, on_read | 3u << standby_kind_shift);
    socket_table::join_line(own.bytes, slot, second.index, on_read);
    slot.registration    = word(own.bytes).turn_given(2, on_read).encode(); // the giver dies after this step
    const auto successor = [&] { return details_of(slot); };

    SECTION("for the first handle of the named process in the standby queue")
    {
        socket_table::repair(own.bytes, 0);
        CHECK(word(own.bytes).owner == 2);
        CHECK(successor().epoch == word(own.bytes).epoch);
        CHECK(successor().handle == first.index);
        CHECK(successor().kind == 3);
        CHECK(socket_table::first_in_line(own.bytes, 0, 2) == second.index);
        socket_table::repair(own.bytes, 0); // a second time
        CHECK(successor().handle == first.index);
        CHECK(word(own.bytes).owner == 2);
    }
    SECTION("for the next of that process, if the first has left")
    {
        socket_table::leave_line(own.bytes, first.index);
        socket_table::repair(own.bytes, 0);
        CHECK(successor().handle == second.index);
    }
    SECTION("for no handle, so that the next one succeeds, if all have left")
    {
        socket_table::leave_line(own.bytes, first.index);
        socket_table::leave_line(own.bytes, second.index);
        socket_table::repair(own.bytes, 0);
        CHECK_FALSE(word(own.bytes).owned());
        CHECK(socket_table::succeed(own.bytes, 0) == 1);
    }
    SECTION("for no handle, if the handle left when the giver had entered all details")
    {
        enter(slot, {word(own.bytes).epoch, 0, 0, first.index});
        socket_table::leave_line(own.bytes, first.index);
        socket_table::repair(own.bytes, 0);
        CHECK_FALSE(word(own.bytes).owned());
    }
    SECTION("a registration that was not given and has no details yet is left alone")
    {
        const registration_word taken = word(own.bytes).taken_over(2, on_read);
        slot.registration             = taken.encode();
        socket_table::repair(own.bytes, 0);
        CHECK(word(own.bytes) == taken);
        CHECK(successor().epoch != taken.epoch);
    }
}

TEST_CASE("details entered for a registration do not replace those of a later one")
{
    own_tables own;
    build(own.bytes, 1);
    socket_slot& slot             = *own.bytes.socket(0);
    const registration_word early = word(own.bytes).taken_over(1, on_read);
    const registration_word late  = early.taken_over(1, on_read);
    slot.registration             = late.encode();
    enter(slot, {late.epoch, 2, 0, 5});
    enter(slot, {early.epoch, 1, 0, 4}); // the earlier call was interrupted
    CHECK(details_of(slot).epoch == late.epoch);
    CHECK(details_of(slot).handle == 5);
}

TEST_CASE("no decision leaves the table or goes on for ever, whatever the slots are", "[fault-57]")
{
    std::mt19937_64 random(1);
    own_tables own;
    for (int round = 0; round < 3'000; ++round) {
        // Everything behind the names is noise; the pages and the sizes of the tables are not read from there.
        auto* const words = reinterpret_cast<std::uint64_t*>(own.memory.get() + own.plan.handle_map_offset);
        for (std::uint64_t word = 0; word < (own.plan.size_bytes - own.plan.handle_map_offset) / 8; word += 1 + random() % 8) {
            words[word] = random() % 2 == 0 ? random() : random() % 20;
        }
        const auto socket             = static_cast<std::uint32_t>(random() % 10);
        const socket_slot* const slot = own.bytes.socket(socket);
        const record_id id{socket, slot != nullptr ? load(*slot).generation : 0};
        const auto handle = handle_table::claim(own.bytes, 1, 1);
        if (handle.what == handle_table::claim_result::outcome::claimed) {
            socket_table::join(own.bytes, id, handle.id, handle_state::held, 1);
            socket_table::leave(own.bytes, id, handle.id, 1);
            socket_table::build(own.bytes, handle.id, 1, some_socket, 5);
        }
        socket_table::first_in_line(own.bytes, socket);
        socket_table::succeed(own.bytes, socket);
        socket_table::pass_on(own.bytes, socket, 1, 1, static_cast<std::uint32_t>(random() % 20));
        socket_table::leave_line(own.bytes, static_cast<std::uint32_t>(random()));
        socket_table::repair(own.bytes, socket);
    }
    SUCCEED("no walk left the table");
}
