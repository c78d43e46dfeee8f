// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/process_identity.hpp"
#include "ipc/doorbell.hpp"
#include "layout/event_record.hpp"
#include "layout/registration_word.hpp"
#include "store/liveness_lock.hpp"
#include "store/robust_lock.hpp"
#include "tables/handle_table.hpp"
#include "tables/socket_table.hpp"
#include "tables/table_view.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace sharedsock::detail {

/// Makes pages for records on demand. `segment_file` makes them; a test may have all pages from the start.
class page_source {
public:
    virtual void back_handle(std::uint32_t index, error_code& ec) noexcept = 0;
    virtual void back_socket(std::uint32_t index, error_code& ec) noexcept = 0;

protected:
    ~page_source() = default;
};

/// A socket of the segment and one handle to it.
struct socket_and_handle {
    record_id socket;
    record_id handle;
};

class told_processes;

/// One process among those that share a segment: its identity, and every step that it may take on the common state. The tables
/// decide how a step changes the bytes; this class adds the lock, the wake-ups and the repair. Nothing here knows descriptors of
/// sockets, epoll or user code, so a test can kill a process after each instruction of each step.
///
/// Lock order: the kernel's byte of an index being attached or swept; then one slot's lock, or the name table's. None is held
/// across a blocking call or user code.
///
/// Threads: safe after `attach`. fork(2): the child must `attach` an object of its own.
class membership final : public liveness_judge {
public:
    /// All arguments must outlive the object. `patience`: how long to wait for a lock whose holder lives.
    membership(const table_view& bytes, liveness_lock& life, doorbells& bells, page_source& pages,
               std::chrono::nanoseconds patience) noexcept
        : bytes_(bytes), life_(life), bells_(bells), pages_(pages), patience_(patience)
    {}

    // --- being a member ---------------------------------------------------------------------------------------------

    /// Takes a process index: a byte that no process holds. Sweeps the dead predecessor, if there was one, before the new
    /// incarnation counts. `errc::process_table_full` when even a sweep finds no place.
    void attach(error_code& ec) noexcept;
    /// Sweeps itself and gives the byte back.
    void detach() noexcept;
    /// Forgets the byte here; it stays with its holder, which may be a parent process.
    void abandon() noexcept { self_ = no_index; }

    bool attached() const noexcept { return self_ != no_index && !lost_.load(std::memory_order_relaxed); }
    /// Other code of this process may have dropped the kernel's lock on its byte (liveness_lock.hpp). Takes it anew if no process
    /// has swept this one meanwhile. False if one has: then this process is not attached any more, and never again. Two or three
    /// system calls.
    bool confirm_identity() noexcept;
    /// From now on the other processes take this one for dead and sweep it: it has lost the descriptors with which it answers them.
    void give_up_identity() noexcept;
    bool identity_lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
    process_id self() const noexcept { return {self_, generation_}; }
    bool alive(process_id who) const noexcept; ///< one system call
    /// The pid of a live process as this pid namespace has it, from the kernel; 0 if it is dead, or has no number here. One
    /// system call.
    pid_t pid_of(process_id who) const noexcept;
    bool gone(std::uint32_t index, std::uint32_t generation) const noexcept override;

    /// Sweeps every process that died; returns how many. One system call for each process in use.
    std::size_t sweep_dead() noexcept;
    /// Sweeps the process at `index` if it died. False if it lives, or another process is sweeping it.
    bool sweep_if_dead(std::uint32_t index) noexcept;

    // --- sockets and handles ----------------------------------------------------------------------------------------

    /// A new slot and this process's first handle to it. `errc::socket_table_full`, `errc::handle_table_full`.
    socket_and_handle create_socket(const socket_identity& about, error_code& ec) noexcept;
    /// The same for a socket that this process got by itself: if it has a slot already, this is another handle to that, and
    /// `joined` is set. `errc::lock_timeout`: a stopped process is adopting.
    socket_and_handle adopt_socket(const socket_identity& about, bool& joined, error_code& ec) noexcept;
    /// Another handle of this process to a live socket. `errc::closed_handle`: the socket is gone.
    /// `told`: it is one of many sockets to which this process opens handles.
    record_id open_handle(record_id socket, error_code& ec, told_processes* told = nullptr) noexcept;
    /// The handle ends; the slot too if it was the last. `owned_epoch`: the epoch of the registration made through this
    /// handle, which ends with it (REG-14); 0 if none. `errc::lock_timeout`: only the registration changed; try again later.
    void close_handle(const socket_and_handle& which, std::uint32_t owned_epoch, error_code& ec) noexcept;
    /// Checks the bytes on which an open handle of this process relies. `errc::segment_damaged`: they contradict each other
    /// (ERR-6). `errc::closed_handle`: the record is not this process's any more: others have taken this process for dead and
    /// swept it.
    void verify(const socket_and_handle& which, error_code& ec) const noexcept;
    /// Whether no live ticket or handle to the socket exists but this one.
    bool is_last(const socket_and_handle& which) const noexcept;

    // --- tickets ----------------------------------------------------------------------------------------------------

    // An offer is a ticket or a hand-over (membership_offers.cpp). If its target is attached, the message that goes out between
    // the first two steps decides: before it the handle is the sender's, from then on the receiver of the message may take
    // it, even if the sender dies.

    /// A handle record that is to become the target's, this process's until then. `nonce`: not 0. `by_pid`: the process for
    /// which a ticket by pid is made; `target` is then its attachment, or nothing if it has none.
    record_id prepare_offer(record_id socket, std::uint64_t nonce, process_id target, error_code& ec,
                            const process_identity* by_pid = nullptr) noexcept;
    /// The message has gone out: from now on the target's death ends the handle. False if the target had died and cannot have taken
    /// it: then the record is withdrawn. A ticket by pid whose process goes on without that attachment stays with this process.
    bool commit_offer(const socket_and_handle& which, process_id target) noexcept;
    /// There is no message: the ticket by pid stays with this process, which keeps the descriptor, and dies with it.
    void keep_ticket(record_id handle) noexcept;
    /// Gives an offered ticket by pid back to its source, which keeps it from then on. @pre the attachment that it was offered to
    /// has ended, or is another one of this process. False if it was no such ticket, if its source or its target has
    /// ended, or with `errc::lock_timeout`.
    bool return_ticket(record_id handle, error_code& ec) noexcept;
    /// The same for a caller that has the slot's lock, and has seen `life`. True if there is nothing left to end.
    bool return_locked_ticket(std::uint32_t handle, const handle_life& life) noexcept;
    /// Judges a message that names `handle`. `sender`: the one that the message names.
    enum class offer_standing : std::uint8_t { good, gone, forged };
    offer_standing judge_offer(record_id handle, std::uint64_t nonce, process_id sender) const noexcept;
    /// Whether a ticket that names `handle` says of its target what the record says, each field of it.
    bool names_target(record_id handle, process_id target, std::int32_t target_pid) const noexcept;
    /// Makes an offered handle one of this process. False if the offer has gone: taken before, withdrawn, or dead.
    bool take_offered(record_id handle, std::uint64_t nonce, process_id sender) noexcept;

    // An acknowledged hand-over is an offer whose sender keeps its own handle, and this record, until the target has taken it. One
    // compare-and-swap decides: the target's (`take_offered`), the target's refusal, or the sender's recall. No lock is needed.

    /// The message has gone out: the second step of the sender. If this process dies from here on, the target may still take it.
    void await_taker(record_id handle) noexcept;
    enum class giving_standing : std::uint8_t { waits, declined, taken };
    /// Its state, for its sender.
    giving_standing judge_giving(record_id handle) const noexcept;
    /// The sender wants it back. False if it was taken. The record is then `returned`; the caller ends it as it ends a handle.
    bool recall(record_id handle) noexcept;
    /// The target sends it back, and rings the sender. False if there is no sender to take it back: it is not an acknowledged one,
    /// or its sender has died, or has taken it back.
    bool decline_offered(record_id handle, std::uint64_t nonce, process_id sender) noexcept;
    /// For a sweep of the sender: offers a hand-over that is out to its target, if that lives. `life`: as it was seen; as it is
    /// now. False: the sweep is to end it.
    bool pass_on_giving(std::uint32_t handle, handle_life& life) noexcept;

    /// The one redemption of a kept ticket: it becomes a handle of this process. False if it is used, revoked or dead.
    bool redeem_kept(record_id handle) noexcept;

    /// Ends a ticket that was not redeemed. False if there was none.
    bool withdraw_ticket(record_id handle, error_code& ec) noexcept;

    // --- the registration -------------------------------------------------------------------------------------------
    // None of these takes a lock, save for the standby queue: a stopped lock holder delays no events.

    struct take_over_result {
        std::uint32_t epoch = 0;        ///< of the new registration
        std::uint32_t loser = no_index; ///< process index of the former owner
        bool must_fence     = false;    ///< another process, or another thread, is delivering
    };
    /// This process owns the events from here on: one compare-and-swap. The loser's bell is rung.
    take_over_result take_over(const socket_and_handle& which, std::uint32_t mask, std::uint32_t kind) noexcept;
    /// Ends the registration: then no process owns the events, or the first of the standby queue does. The former owner's bell is
    /// rung. `only_epoch`: only that registration.
    bool cancel(record_id socket, std::optional<std::uint32_t> only_epoch = std::nullopt) noexcept;

    enum class fence_state : std::uint8_t { ended, pending, lost };
    /// Waits until no delivery of an earlier registration is under way; sweeps a deliverer that died. `own_delivery_counts`:
    /// whether a delivery of this very process must end as well (it belongs to another thread). `lost`: another process
    /// has taken over meanwhile.
    fence_state fence(record_id socket, std::uint32_t epoch, std::chrono::nanoseconds limit, bool own_delivery_counts) noexcept;

    /// Claims the events in `ready` for delivery.
    bool claim(socket_slot& slot, std::uint32_t epoch, std::uint32_t ready) noexcept;
    /// Claims the delivery of a change of the network, which has no bit in the registration word (EVT-25).
    bool begin_delivery(socket_slot& slot, std::uint32_t epoch) noexcept;
    /// Ends the delivery. If there is a new owner meanwhile, rings it and wakes it from its fence.
    void finish(socket_slot& slot, std::uint32_t index, std::uint32_t epoch, std::uint32_t restore) noexcept;
    /// A re-enabling call for `events` has been made in this process (EVT-3). True if the owner is this process, which must
    /// look for itself; another owner's bell has been rung.
    bool re_enable(socket_slot& slot, std::uint32_t index, std::uint32_t events) noexcept;
    /// Has the owner look: there may be something to see that the kernel shows as no change. The result is that of `re_enable`.
    bool call_owner(const socket_slot& slot, std::uint32_t index) noexcept;

    /// Joins the standby queue. The caller sees at its bell, or in the word, that its turn has come: perhaps at once.
    void stand_by(const socket_and_handle& which, std::uint32_t mask, error_code& ec) noexcept;
    enum class turn_that_came : bool { kept, given_up };
    /// Leaves the standby queue. A turn that has come, but that this process has not noticed yet, is kept or given up. If it is
    /// given up, the next in the queue owns the events.
    void stand_down(const socket_and_handle& which, turn_that_came what, error_code& ec) noexcept;
    /// Gives the events to the first of the standby queue, and joins the queue. True if another handle owns the events now.
    bool pass_on(const socket_and_handle& which, std::uint32_t epoch, error_code& ec) noexcept;

    void ring(std::uint32_t process, std::uint32_t socket) noexcept;
    void ring_holders(std::uint32_t socket) noexcept;

    table_view& bytes() noexcept { return bytes_; }
    const table_view& bytes() const noexcept { return bytes_; }
    std::chrono::nanoseconds patience() const noexcept { return patience_; }
    robust_lock name_lock() noexcept;
    robust_lock adoption_lock() noexcept;

    /// A slot's lock for a scope. It repairs the slot after a dead holder. Before it unlocks, it lets the first of the standby
    /// queue succeed if no process owns the events: so that is done whenever the lock is free, also for a process that could not
    /// wait for the lock.
    class slot_guard {
    public:
        slot_guard(membership& self, std::uint32_t socket, error_code& ec) noexcept;
        ~slot_guard();
        slot_guard(const slot_guard&)            = delete;
        slot_guard& operator=(const slot_guard&) = delete;
        explicit operator bool() const noexcept { return locked_; }

    private:
        membership& self_;
        const std::uint32_t socket_;
        robust_lock lock_;
        bool locked_ = false;
    };

private:
    friend bool sweep(membership& self, std::uint32_t dead) noexcept; // recovery.hpp

    record_id claim_handle(error_code& ec) noexcept;
    record_id join_socket(record_id socket, handle_state as, error_code& ec) noexcept;
    void tell_of_holder(std::uint32_t socket, told_processes* told = nullptr) noexcept; ///< a handle to the socket has begun
    bool holds_another(const socket_and_handle& than) const noexcept;
    void give_up_succession(socket_slot& slot, const socket_and_handle& which) noexcept; ///< the slot's lock is held
    void announce(std::uint32_t successor, std::uint32_t socket) noexcept;               // rings the successor: its turn has come

    table_view bytes_;
    liveness_lock& life_;
    doorbells& bells_;
    page_source& pages_;
    const std::chrono::nanoseconds patience_;
    std::uint32_t self_       = no_index; // constant while attached
    std::uint32_t generation_ = 0;
    std::atomic<bool> lost_{false}; // the records under that index are another process's now
};

} // namespace sharedsock::detail
