// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The steps of tickets and hand-overs on the tables. For a target that is attached the linearisation point is the sendmsg(2) of the
// message, between `prepare_offer` and `commit_offer`: the target takes the handle on the strength of the message, and need not
// wait for the sender to commit. A ticket by pid for a process that is not attached stays with its source (`keep_ticket`). So
// does one whose target was attached, once that attachment has ended and the process goes on: it has executed another program.
#include "base/process_identity.hpp"
#include "ipc/message.hpp"
#include "member/membership.hpp"
#include "tables/process_table.hpp"

#include <atomic>
#include <cstdint>

namespace sharedsock::detail {
namespace {

std::uint64_t as_number(process_id who) noexcept { return record_id{who.index, who.generation}.as_number(); }

// An offer changes its state twice at most before it is taken or ends: handing, giving, offered.
constexpr int attempts = 3;

bool is_with_sender(const handle_life& life) noexcept
{
    return life.state == handle_state::handing || life.state == handle_state::giving;
}

} // namespace

record_id membership::prepare_offer(record_id socket, std::uint64_t nonce, process_id target, error_code& ec,
                                    const process_identity* by_pid) noexcept
{
    const record_id handle = join_socket(socket, handle_state::handing, ec);
    if (ec) return {};
    handle_record& record = *bytes_.handle(handle.index);
    record.source.store(offer_source{self_, generation_}.encode(), std::memory_order_relaxed);
    record.target_pid.store(by_pid != nullptr ? by_pid->pid : 0, std::memory_order_relaxed);
    record.target.store(by_pid != nullptr ? by_pid->stamp() : as_number(target), std::memory_order_relaxed);
    record.nonce.store(nonce);
    // Now: once the message is out, the record may be another process's.
    if (target) record.process_generation.store(target.generation);
    return handle;
}

bool membership::commit_offer(const socket_and_handle& which, process_id target) noexcept
{
    if (!handle_table::move(bytes_, which.handle, handle_state::handing, handle_state::offered, target.index)) return true; // taken
    if (alive(target)) return true;
    error_code stopped; // then the sweep of the target's index does it
    if (return_ticket(which.handle, stopped)) return true;
    if (stopped && bytes_.handle(which.handle.index)->target_pid != 0) return true;
    if (withdraw_ticket(which.handle, stopped)) return false;
    // A dead target takes nothing any more: if the handle still is offered, it was not taken. If not, the target had taken it, or
    // the sweep of the target has ended it. No process can tell which, so it counts as taken, and dies with the target.
    const handle_record* const record = handle_table::find(bytes_, which.handle);
    return record == nullptr || load(*record).state != handle_state::offered;
}

void membership::keep_ticket(record_id handle) noexcept
{
    handle_table::move(bytes_, handle, handle_state::handing, handle_state::kept, self_);
}

bool membership::return_ticket(record_id handle, error_code& ec) noexcept
{
    ec.clear();
    handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return false;
    const slot_guard guard(*this, record->socket.load(), ec); // against a sweep that does the same
    return guard && return_locked_ticket(handle.index, load(*record));
}

bool membership::return_locked_ticket(std::uint32_t handle, const handle_life& life) noexcept
{
    handle_record& record = *bytes_.handle(handle);
    if (life.state != handle_state::offered || record.target_pid == 0) return false;
    const offer_source source = offer_source::decode(record.source.load());
    if (!process_table::is_incarnation(bytes_, source.index, source.generation, offer_source::generation_mask)) return false;
    const process_record* const target = bytes_.process(life.process);
    if (target != nullptr && has_ended(record.target_pid, target->pid_namespace, record.target.load())) return false;
    // If this process dies before the exchange, the index in `life` still leads a sweep here.
    record.process_generation.store(load(*bytes_.process(source.index)).generation);
    if (handle_table::take(bytes_, handle, life, {life.generation, source.index, handle_state::kept}))
        ring(source.index, record.socket.load()); // it may see that the target has ended
    return true;
}

membership::offer_standing membership::judge_offer(record_id handle, std::uint64_t nonce, process_id sender) const noexcept
{
    const handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return offer_standing::gone;
    const bool to_this_process =
        record->target_pid != 0 ? record->process_generation.load() == generation_ : record->target == as_number(self());
    const bool is_genuine = nonce != 0 && record->nonce.load() == nonce && // the other fields were written before it
                            to_this_process && offer_source::decode(record->source).index == sender.index;
    if (!is_genuine) return offer_standing::forged;
    const handle_life life = load(*record);
    const bool good        = life.generation == handle.generation && ((is_with_sender(life) && life.process == sender.index) ||
                                                               (life.state == handle_state::offered && life.process == self_));
    return good ? offer_standing::good : offer_standing::gone; // taken before, or just being ended
}

bool membership::names_target(record_id handle, process_id target, std::int32_t target_pid) const noexcept
{
    const handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return false;
    if (record->target_pid != 0) return target == process_id() && target_pid == record->target_pid;
    return record->target == as_number(target) && target_pid == 0;
}

bool membership::take_offered(record_id handle, std::uint64_t nonce, process_id sender) noexcept
{
    for (int attempt = 0; attempt < attempts; ++attempt) { // again if the offer was committed in this moment
        if (judge_offer(handle, nonce, sender) != offer_standing::good) return false;
        handle_record& record  = *bytes_.handle(handle.index);
        const handle_life life = load(record);
        const bool waits = life.generation == handle.generation && (is_with_sender(life) || life.state == handle_state::offered);
        if (!waits) return false;
        if (!handle_table::take(bytes_, handle.index, life, {handle.generation, self_, handle_state::held})) continue;
        tell_of_holder(record.socket.load());
        if (is_acknowledged(nonce) && is_with_sender(life)) ring(sender.index, record.socket.load());
        return true;
    }
    return false;
}

// --- acknowledged hand-overs ------------------------------------------------------------------------------------------

void membership::await_taker(record_id handle) noexcept
{
    handle_table::move(bytes_, handle, handle_state::handing, handle_state::giving, self_); // unless it was taken or declined
}

// While its sender lives, only the target changes the record. So if it is not as the sender left it, and not declined, it was
// taken, whatever it is now.
membership::giving_standing membership::judge_giving(record_id handle) const noexcept
{
    const handle_record* const record = bytes_.handle(handle.index);
    const handle_life life            = record != nullptr ? load(*record) : handle_life{};
    if (life.generation != handle.generation || life.process != self_) return giving_standing::taken;
    if (life.state == handle_state::returned) return giving_standing::declined;
    return is_with_sender(life) ? giving_standing::waits : giving_standing::taken;
}

bool membership::recall(record_id handle) noexcept
{
    return handle_table::move(bytes_, handle, handle_state::giving, handle_state::returned, self_) ||
           handle_table::move(bytes_, handle, handle_state::handing, handle_state::returned, self_);
}

bool membership::decline_offered(record_id handle, std::uint64_t nonce, process_id sender) noexcept
{
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (!is_acknowledged(nonce) || judge_offer(handle, nonce, sender) != offer_standing::good) return false;
        handle_record& record  = *bytes_.handle(handle.index);
        const handle_life life = load(record);
        if (life.generation != handle.generation || !is_with_sender(life)) return false;
        if (!handle_table::take(bytes_, handle.index, life, {handle.generation, life.process, handle_state::returned})) continue;
        ring(sender.index, record.socket.load());
        return true;
    }
    return false;
}

bool membership::pass_on_giving(std::uint32_t handle, handle_life& life) noexcept
{
    const std::uint64_t named = bytes_.handle(handle)->target.load();
    const process_id target{static_cast<std::uint32_t>(named), static_cast<std::uint32_t>(named >> 32)};
    if (life.state != handle_state::giving || target.index == life.process || !alive(target)) return false;
    const handle_life theirs{life.generation, target.index, handle_state::offered};
    if (!handle_table::take(bytes_, handle, life, theirs)) return false;
    life = theirs;
    return alive(target); // else it has died since, and its own sweep may have come too early to see this
}

bool membership::redeem_kept(record_id handle) noexcept
{
    handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return false;
    // In between the record names this process with the source's generation: the index alone leads the sweep to it.
    if (!handle_table::move(bytes_, handle, handle_state::kept, handle_state::held, self_)) return false;
    record->process_generation.store(generation_);
    tell_of_holder(record->socket.load());
    return true;
}

bool membership::withdraw_ticket(record_id handle, error_code& ec) noexcept
{
    ec.clear();
    handle_record* const record = handle_table::find(bytes_, handle);
    if (record == nullptr) return false;
    const record_id socket{record->socket.load(), record->socket_generation.load()};
    const handle_life life = load(*record);
    if (life.state != handle_state::offered && life.state != handle_state::kept && life.state != handle_state::handing)
        return false;
    {
        const slot_guard guard(*this, socket.index, ec);
        if (!guard) return false;
        // To this process first: if a redemption wins this exchange, nothing was revoked.
        if (!handle_table::move(bytes_, handle, life.state, handle_state::claimed, self_)) return false;
        record->process_generation.store(generation_);
        socket_table::leave(bytes_, socket, handle, self_);
    }
    handle_table::free(bytes_, handle);
    return true;
}

} // namespace sharedsock::detail
