// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The steps of an offer on the tables: a ticket for a process that is attached, or a hand-over. The linearisation point is the
// sendmsg(2) of the message, between `prepare_offer` and `commit_offer`: the target takes the handle on the strength of the
// message, and need not wait for the sender to commit.
#include "member/membership.hpp"

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {
namespace {

std::uint64_t as_number(process_id who) noexcept { return record_id{who.index, who.generation}.as_number(); }

} // namespace

record_id membership::prepare_offer(record_id socket, std::uint64_t nonce, process_id target, error_code& ec) noexcept
{
    const record_id handle = join_socket(socket, handle_state::handing, ec);
    if (ec) return {};
    handle_record& record = *bytes_.handle(handle.index);
    record.source.store(self_, std::memory_order_relaxed);
    record.target.store(as_number(target), std::memory_order_relaxed);
    record.nonce.store(nonce);
    record.process_generation.store(target.generation); // now: once the message is out, the record may be another process's
    return handle;
}

bool membership::commit_offer(const socket_and_handle& which, process_id target) noexcept
{
    if (!handle_table::move(bytes_, which.handle, handle_state::handing, handle_state::offered, target.index)) return true; // taken
    if (alive(target)) return true;
    error_code stopped; // then the sweep of the target's index ends it
    if (withdraw_ticket(which.handle, stopped)) return false;
    // A dead target takes nothing any more: if the handle still is offered, it was not taken. If not, the target had taken it, or
    // the sweep of the target has ended it. No process can tell which, so it counts as taken, and dies with the target.
    const handle_record* const record = handle_table::find(bytes_, which.handle);
    return record == nullptr || load(*record).state != handle_state::offered;
}

membership::offer_standing membership::judge_offer(record_id handle, std::uint64_t nonce, process_id sender) const noexcept
{
    const handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return offer_standing::gone;
    const bool true_letter = nonce != 0 && record->nonce.load() == nonce && // the other fields were written before it
                             record->target == as_number(self()) && record->source == sender.index;
    if (!true_letter) return offer_standing::forged;
    const handle_life life = load(*record);
    const bool good =
        life.generation == handle.generation && ((life.state == handle_state::handing && life.process == sender.index) ||
                                                 (life.state == handle_state::offered && life.process == self_));
    return good ? offer_standing::good : offer_standing::gone; // taken before, or just being ended
}

bool membership::names_target(record_id handle, process_id target, std::int32_t target_pid) const noexcept
{
    const handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return false;
    if (load(*record).state == handle_state::kept) return target == process_id() && target_pid == record->target_pid;
    return record->target == as_number(target) && target_pid == 0;
}

bool membership::take_offered(record_id handle, std::uint64_t nonce, process_id sender) noexcept
{
    for (int attempt = 0; attempt < 2; ++attempt) { // again if the offer was committed in this moment: that happens once
        if (judge_offer(handle, nonce, sender) != offer_standing::good) return false;
        handle_record& record  = *bytes_.handle(handle.index);
        const handle_life life = load(record);
        const bool waits =
            life.generation == handle.generation && (life.state == handle_state::handing || life.state == handle_state::offered);
        if (!waits) return false;
        if (!handle_table::take(bytes_, handle.index, life, {handle.generation, self_, handle_state::held})) continue;
        tell_of_holder(record.socket.load());
        return true;
    }
    return false;
}

} // namespace sharedsock::detail
