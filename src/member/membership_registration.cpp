// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The registration's moves, from the decision (registration_word) to the wake-ups. The step names are those of the model,
// tests/model/registration.pml.
#include "base/futex.hpp"
#include "base/ranked_mutex.hpp"
#include "base/wall_clock.hpp"
#include "member/membership.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <optional>

namespace sharedsock::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "the delivering field is in the first four bytes of the word");

// The half of the registration word that holds `delivering`: a process that waits at the fence sleeps on it.
std::uint32_t* fence_half(socket_slot& slot) noexcept { return reinterpret_cast<std::uint32_t*>(&slot.registration); }

} // namespace

membership::take_over_result membership::take_over(const socket_and_handle& which, std::uint32_t mask, std::uint32_t kind) noexcept
{
    socket_slot* const slot = bytes_.socket(which.socket.index);
    if (slot == nullptr) return {};
    const auto done             = change(slot->registration, [&](const registration_word& word) { // the linearisation point
        return std::optional(word.taken_over(self_, mask));
    });
    const auto& [before, after] = *done;
    enter(*slot, {after.epoch, kind, mask >> 6 & 0xf, which.handle.index});
    slot->registered_ns.store(wall_clock_ns());
    if (before.owned() && before.owner != self_) {
        bytes_.header->take_overs.fetch_add(1);
        ring(before.owner, which.socket.index); // tell
    }
    return {after.epoch, before.owner, after.delivering != no_index};
}

bool membership::cancel(record_id socket, std::optional<std::uint32_t> only_epoch) noexcept
{
    socket_slot* const slot = socket_table::find(bytes_, socket);
    if (slot == nullptr) return false;
    const auto done = change(slot->registration, [&](const registration_word& word) -> std::optional<registration_word> {
        if (!word.owned() || (only_epoch && !word.owned_by(self_, *only_epoch))) return std::nullopt;
        return word.cancelled();
    });
    if (!done) return false;
    if (done->first.owner != self_) ring(done->first.owner, socket.index); // tell
    if (slot->standby_count.load() != 0) {
        error_code stopped; // then the lock holder lets the first standby succeed when it goes on, or its sweep does
        const slot_guard guard(*this, socket.index, stopped);
    }
    return true;
}

membership::fence_state membership::fence(record_id socket, std::uint32_t epoch, std::chrono::nanoseconds limit,
                                          bool own_delivery_counts) noexcept
{
    socket_slot* const slot = socket_table::find(bytes_, socket);
    if (slot == nullptr) return fence_state::lost;
    lock_ranks::expect_none("a call waits at the fence");
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const std::uint64_t seen     = slot->registration.load();
        const registration_word word = registration_word::decode(seen);
        if (word.delivering == no_index || (word.delivering == self_ && !own_delivery_counts)) return fence_state::ended;
        if (!word.owned_by(self_, epoch)) return fence_state::lost;
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= std::chrono::nanoseconds::zero()) break;
        const auto slice = std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(5));
        if (!futex::sleep_while(fence_half(*slot), static_cast<std::uint32_t>(seen), slice)) sweep_if_dead(word.delivering);
    }
    if (!confirm_identity()) return fence_state::lost; // perhaps the others take this process for dead
    bytes_.header->fences_pending.fetch_add(1);
    return fence_state::pending;
}

bool membership::claim(socket_slot& slot, std::uint32_t epoch, std::uint32_t ready) noexcept
{
    return change(slot.registration, [&](const registration_word& word) { return word.claimed(self_, epoch, ready); }).has_value();
}

bool membership::begin_delivery(socket_slot& slot, std::uint32_t epoch) noexcept
{
    return change(slot.registration, [&](const registration_word& word) { return word.begun(self_, epoch); }).has_value();
}

void membership::finish(socket_slot& slot, std::uint32_t index, std::uint32_t epoch, std::uint32_t restore) noexcept
{
    const auto done =
        change(slot.registration, [&](const registration_word& word) { return word.finished(self_, epoch, restore); });
    if (!done || done->second.owned_by(self_, epoch)) return;
    // Another process took over during this delivery: it may be waiting at the fence, and could not claim meanwhile.
    futex::wake_all(fence_half(slot));
    if (done->second.owned()) ring(done->second.owner, index);
}

bool membership::re_enable(socket_slot& slot, std::uint32_t index, std::uint32_t events) noexcept
{
    change(slot.registration, [&](const registration_word& word) { return word.re_enabled(events); });
    return call_owner(slot, index); // armed or not: CLOSE may wait for the data that was read (EVT-19)
}

bool membership::call_owner(const socket_slot& slot, std::uint32_t index) noexcept
{
    const std::uint32_t owner = load(slot.registration).owner;
    if (owner == no_index) return false;
    if (owner == self_) return true;
    ring(owner, index);
    return false;
}

void membership::stand_by(const socket_and_handle& which, std::uint32_t mask, error_code& ec) noexcept
{
    ec.clear();
    const slot_guard guard(*this, which.socket.index, ec);
    if (!guard) return;
    socket_slot* const slot = socket_table::find(bytes_, which.socket);
    if (slot == nullptr) {
        ec = errc::closed_handle;
        return;
    }
    socket_table::join_line(bytes_, *slot, which.handle.index, mask);
} // the guard lets this handle succeed at once if no process owns the events

void membership::stand_down(const socket_and_handle& which, turn_that_came what, error_code& ec) noexcept
{
    ec.clear();
    socket_table::leave_line(bytes_, which.handle.index); // first: also if the lock cannot be had
    const slot_guard guard(*this, which.socket.index, ec);
    socket_slot* const slot = socket_table::find(bytes_, which.socket);
    // Without the lock as well: an exchange gives up a turn that has come, and the lock holder finds the next in the standby queue.
    if (slot != nullptr && what == turn_that_came::given_up && load(slot->registration).by_turn) give_up_succession(*slot, which);
}

bool membership::pass_on(const socket_and_handle& which, std::uint32_t epoch, error_code& ec) noexcept
{
    ec.clear();
    const slot_guard guard(*this, which.socket.index, ec);
    if (!guard) return false;
    const std::uint32_t successor = socket_table::pass_on(bytes_, which.socket.index, self_, epoch, which.handle.index);
    if (successor == no_index) {
        const socket_slot* const slot = socket_table::find(bytes_, which.socket);
        if (slot == nullptr || !load(slot->registration).owned_by(self_, epoch)) ec = errc::not_the_owner;
        return false;
    }
    announce(successor, which.socket.index);
    return true;
}

void membership::announce(std::uint32_t successor, std::uint32_t socket) noexcept
{
    bytes_.socket(socket)->registered_ns.store(wall_clock_ns());
    ring(successor, socket);
}

} // namespace sharedsock::detail
