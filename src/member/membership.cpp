// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "member/membership.hpp"

#include "base/wall_clock.hpp"
#include "layout/index_span.hpp"
#include "member/recovery.hpp"
#include "member/told_processes.hpp"
#include "tables/cookie_index.hpp"
#include "tables/process_table.hpp"

namespace sharedsock::detail {
namespace {

// Linux before 5.10 counts the cookies of each network namespace by themselves.
bool is_of_kind(const socket_slot& slot, const socket_identity& about) noexcept
{
    return slot.family == about.family && slot.type == about.type && slot.protocol == about.protocol;
}

} // namespace

// --- being a member -------------------------------------------------------------------------------------------------

void membership::attach(error_code& ec) noexcept
{
    ec.clear();
    process_table::candidates candidates(bytes_);
    for (std::uint32_t index = candidates.next(); index != no_index; index = candidates.next()) {
        error_code failed;
        if (!life_.take(index, failed)) {
            if (failed) ec = failed;
            continue;
        }
        const process_life mine = process_table::begin(bytes_, index);
        self_                   = index;
        generation_             = mine.generation;
        if (mine.unswept && !sweep(*this, index)) { // a stopped process holds a lock that the sweep needs: later
            self_ = no_index;
            life_.give(index);
            ec = errc::lock_timeout;
            continue;
        }
        process_table::settled(bytes_, index);
        ec.clear();
        return;
    }
    if (!ec) ec = errc::process_table_full;
}

void membership::detach() noexcept
{
    if (!attached()) return;
    const std::uint32_t index = self_;
    if (sweep(*this, index)) process_table::end(bytes_, index); // else the next incarnation, or a survivor, sweeps it
    self_ = no_index;
    life_.give(index);
}

bool membership::confirm_identity() noexcept
{
    if (!attached()) return false;
    if (!life_.lost(self_)) return true;
    error_code ec;
    if (life_.take_again(self_, ec)) { // so no process is sweeping this one now; has one done so?
        if (process_table::is_incarnation(bytes_, self_, generation_)) return true;
        life_.give(self_);
    }
    lost_.store(true);
    return false;
}

void membership::give_up_identity() noexcept
{
    if (attached() && !lost_.exchange(true)) life_.give(self_);
}

bool membership::alive(process_id who) const noexcept
{
    if (!process_table::is_incarnation(bytes_, who.index, who.generation)) return false;
    return !load(*bytes_.process(who.index)).unswept && life_.held(who.index); // unswept: its sweeper holds the byte
}

pid_t membership::pid_of(process_id who) const noexcept
{
    if (!process_table::is_incarnation(bytes_, who.index, who.generation) || load(*bytes_.process(who.index)).unswept) return 0;
    return life_.holder_of(who.index).pid;
}

bool membership::gone(std::uint32_t index, std::uint32_t generation) const noexcept
{
    return !process_table::is_incarnation(bytes_, index, generation, 0x7fff) || !life_.held(index);
}

bool membership::sweep_if_dead(std::uint32_t index) noexcept
{
    process_record* const record = bytes_.process(index);
    if (record == nullptr || index == self_ || !process_table::may_need_sweep(*record) || life_.held(index)) return false;
    error_code ec;
    if (!life_.take(index, ec)) return false; // a new incarnation, or another sweeper, perhaps a thread of this process
    bool swept = false;
    if (process_table::may_need_sweep(*record)) { // looked again: now the byte is held, and it cannot change
        // Without a new generation its locks would seem to be a living process's: this process holds its byte.
        process_table::begin(bytes_, index);
        swept = sweep(*this, index);
        if (swept) process_table::end(bytes_, index);
    }
    life_.give(index);
    return swept;
}

std::size_t membership::sweep_dead() noexcept
{
    std::size_t count = 0;
    for (std::uint32_t index = 0; index < bytes_.capacity.processes; ++index)
        if (process_table::may_need_sweep(bytes_.processes[index]) && sweep_if_dead(index)) ++count;
    return count;
}

// --- sockets and handles --------------------------------------------------------------------------------------------

record_id membership::claim_handle(error_code& ec) noexcept
{
    for (bool swept = false;;) {
        const auto result = handle_table::claim(bytes_, self_, generation_);
        using outcome     = handle_table::claim_result::outcome;
        if (result.what == outcome::claimed) return result.id;
        if (result.what == outcome::needs_pages) {
            pages_.back_handle(result.id.index, ec);
            if (ec) return {};
            continue;
        }
        if (!swept && sweep_dead() > 0) {
            swept = true;
            continue;
        }
        ec = errc::handle_table_full;
        return {};
    }
}

socket_and_handle membership::create_socket(const socket_identity& about, error_code& ec) noexcept
{
    ec.clear();
    const record_id handle = claim_handle(ec);
    if (ec) return {};
    for (bool swept = false;;) {
        const auto result = socket_table::build(bytes_, handle, self_, about, wall_clock_ns());
        using outcome     = socket_table::build_result::outcome;
        if (result.what == outcome::built) return {result.id, handle};
        if (result.what == outcome::needs_pages) {
            pages_.back_socket(result.id.index, ec);
            if (!ec) continue;
        } else if (!swept && sweep_dead() > 0) {
            swept = true;
            continue;
        } else {
            ec = errc::socket_table_full;
        }
        handle_table::free(bytes_, handle);
        return {};
    }
}

// The lock guards no bytes: all that a dead holder has made is whole, or is swept. A slot that is not live yet is not found; it is
// its maker's alone, which no process can have the socket from.
socket_and_handle membership::adopt_socket(const socket_identity& about, bool& joined, error_code& ec) noexcept
{
    joined           = false;
    robust_lock lock = adoption_lock();
    lock.lock(ec);
    if (ec) return {};
    socket_and_handle made;
    made.socket = cookie_index::find(bytes_, about.cookie);
    if (const socket_slot* const slot = socket_table::find(bytes_, made.socket); slot != nullptr && is_of_kind(*slot, about)) {
        made.handle = open_handle(made.socket, ec);
        joined      = !ec;
    }
    if (!joined && (!ec || ec == errc::closed_handle)) made = create_socket(about, ec); // its last handle has just ended
    lock.unlock();
    return made;
}

record_id membership::open_handle(record_id socket, error_code& ec, told_processes* told) noexcept
{
    const record_id handle = join_socket(socket, handle_state::held, ec);
    if (!ec) tell_of_holder(socket.index, told);
    return handle;
}

record_id membership::join_socket(record_id socket, handle_state as, error_code& ec) noexcept
{
    ec.clear();
    const record_id handle = claim_handle(ec);
    if (ec) return {};
    handle_record& record = *bytes_.handle(handle.index);
    record.socket_generation.store(socket.generation);
    record.socket.store(socket.index); // before the lock is taken: the sweep finds the lock by it
    {
        const slot_guard guard(*this, socket.index, ec);
        if (guard && !socket_table::join(bytes_, socket, handle, as, self_)) ec = errc::closed_handle;
    }
    if (!ec) return handle;
    handle_table::free(bytes_, handle);
    return {};
}

// The owner and the processes that stand by watch for the death of every holder: they have to know of the new one.
void membership::tell_of_holder(std::uint32_t socket, told_processes* told) noexcept
{
    socket_slot* const slot = bytes_.socket(socket);
    if (slot == nullptr) return;
    slot->holder_changes.fetch_add(1);
    const registration_word word = load(slot->registration);
    const bool has_other_owner   = word.owned() && word.owner != self_;
    if (slot->standby_count.load() != 0)
        told != nullptr ? told->ring_holders(*this, socket, self_) : ring_holders(socket);
    else if (has_other_owner)
        told != nullptr ? told->ring(*this, word.owner, socket) : ring(word.owner, socket);
    if (told != nullptr) told->next_socket();
}

void membership::close_handle(const socket_and_handle& which, std::uint32_t owned_epoch, error_code& ec) noexcept
{
    ec.clear();
    socket_slot* const slot = socket_table::find(bytes_, which.socket);
    if (slot != nullptr && owned_epoch != 0) {
        change(slot->registration, [&](const registration_word& word) -> std::optional<registration_word> {
            if (!word.owned_by(self_, owned_epoch)) return std::nullopt;
            return word.cancelled();
        });
    }
    {
        const slot_guard guard(*this, which.socket.index, ec);
        if (!guard) return;
        if (slot != nullptr) give_up_succession(*slot, which);
        socket_table::leave(bytes_, which.socket, which.handle, self_);
        if (slot != nullptr && load(slot->registration).delivering == self_ && !holds_another(which))
            finish(*slot, which.socket.index, 0, 0); // a closed handle delivers no more
    }
    handle_table::free(bytes_, which.handle);
}

bool membership::holds_another(const socket_and_handle& than) const noexcept
{
    bool found = false;
    handle_table::for_each(bytes_, than.socket.index, [&](std::uint32_t index, const handle_record& record) {
        const handle_life life = load(record);
        found                  = index != than.handle.index && life.process == self_ && life.state == handle_state::held;
        return !found;
    });
    return found;
}

// A handle that stood by may have become the owner before its bell was answered: no other process would ever cancel that.
void membership::give_up_succession(socket_slot& slot, const socket_and_handle& which) noexcept
{
    const registration_word word = load(slot.registration);
    if (word.owner != self_) return;
    const registration_details details = details_of(slot);
    if (details.epoch != word.epoch || details.handle != which.handle.index) return;
    change(slot.registration, [&](const registration_word& now) -> std::optional<registration_word> {
        if (!now.owned_by(self_, word.epoch)) return std::nullopt;
        return now.cancelled();
    });
}

void membership::verify(const socket_and_handle& which, error_code& ec) const noexcept
{
    const segment_header& header = *bytes_.header;
    const bool intact            = header.magic == segment_magic && header.layout_hash == layout_hash;
    if (intact && socket_table::find(bytes_, which.socket) != nullptr) [[likely]]
        return;
    const handle_record* const record = handle_table::find(bytes_, which.handle);
    const bool ours = record != nullptr && load(*record).process == self_ && load(*record).state == handle_state::held;
    if (intact && !ours) {
        ec = errc::closed_handle;
        return;
    }
    bytes_.header->damages.fetch_add(1);
    ec = errc::segment_damaged;
}

bool membership::is_last(const socket_and_handle& which) const noexcept
{
    bool other = false;
    handle_table::for_each(bytes_, which.socket.index, [&](std::uint32_t index, const handle_record&) {
        other = index != which.handle.index;
        return !other;
    });
    return !other;
}

// --- the registration -----------------------------------------------------------------------------------------------

void membership::ring(std::uint32_t process, std::uint32_t socket) noexcept
{
    process_record* const record = bytes_.process(process);
    if (record == nullptr) return;
    switch (bells_.ring(process, socket)) {
    case doorbells::rung::yes:
        break;
    case doorbells::rung::overflow:
        record->resync.store(1);
        break;
    case doorbells::rung::nobody:
        if (record->bell.load() == 0) break; // it has none: it looks for itself when it registers
        record->resync.store(1);
        bells_.ring_common();
    }
}

void membership::ring_holders(std::uint32_t socket) noexcept
{
    handle_table::for_each(bytes_, socket, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        if (life.state == handle_state::held) ring(life.process, socket);
        return true;
    });
}

membership::slot_guard::slot_guard(membership& self, std::uint32_t socket, error_code& ec) noexcept
    : self_(self),
      socket_(socket),
      lock_(self.bytes_.socket(socket) != nullptr ? self.bytes_.socket(socket)->lock : self.bytes_.header->names_lock, self.self_,
            self.generation_, self, self.bytes_.capacity.processes, self.patience_)
{
    if (self.bytes_.socket(socket) == nullptr) {
        ec = errc::closed_handle;
        return;
    }
    if (process_record* const own = self.bytes_.process(self.self_)) widen(own->locked_sockets, socket);
    lock_.lock(ec);
    locked_ = !ec;
    if (!locked_ || !lock_.owner_died()) return;
    self_.bytes_.header->owner_deaths.fetch_add(1);
    socket_table::repair(self_.bytes_, socket_);
    self_.ring_holders(socket_); // its dead holder may not have rung a successor; perhaps no handle leads its sweep here
}

membership::slot_guard::~slot_guard()
{
    while (locked_) {
        if (const std::uint32_t successor = socket_table::succeed(self_.bytes_, socket_); successor != no_index)
            self_.announce(successor, socket_);
        lock_.unlock();
        // A process that ended a registration in between, and could not wait for the lock, relies on this one.
        locked_ = socket_table::awaits_successor(self_.bytes_, socket_) && lock_.try_lock();
    }
}

robust_lock membership::adoption_lock() noexcept
{
    return {bytes_.header->adoption_lock, self_, generation_, *this, bytes_.capacity.processes, patience_,
            lock_rank::adoption_lock};
}

robust_lock membership::name_lock() noexcept
{
    return {bytes_.header->names_lock, self_, generation_, *this, bytes_.capacity.processes, patience_};
}

} // namespace sharedsock::detail
