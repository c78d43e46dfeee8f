// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/fork_hook.hpp"
#include "attach/handle.hpp"
#include "base/graveyard.hpp"
#include "base/ranked_mutex.hpp"
#include "events/detector.hpp"
#include "events/event_poller.hpp"
#include "events/sinks.hpp"

#include <sharedsock/registration.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

namespace sharedsock::detail {

/// A local registration: a registration in the process that made it, through one handle. It has the sink, the epoll entry and the
/// epoch. It owns the events as long as the registration word says so, and reads the word before every delivery.
///
///     made --(begin)--> owner
///     standing_by --(the word names it)--> owner --(the word moved)--> lost
///     owner --(begin_passing)--> passing --(keep)--> owner, as it was before
///                                   \--(passed_on)--> standing_by
///           any of them --(end)--> ended
///
/// `passing`: `pass_on` looks for the successor. The handle is still the owner as long as the word says so, and has its entry;
/// nothing is delivered before `keep` or `passed_on`.
///
/// One mutex puts the deliveries of one local registration in sequence. It is held during a delivery to an event object, which is
/// a few system calls, and never while user code runs. docs/concurrency.md says which locks may be taken under it.
///
/// fork(2): the registration stays the parent's. A child cannot use a local registration that it inherited: every call on it
/// returns before it locks the mutex, which a thread of the parent may have held.
class local_registration final : public sink_job,
                                 public handle_registration,
                                 public std::enable_shared_from_this<local_registration> {
public:
    enum class phase : std::uint8_t { made, standing_by, owner, passing, lost, ended };

    enum class origin : std::uint8_t { select, line }; ///< `select` takes over; `line` stands by, also after passing on

    local_registration(handle& through, origin from, std::uint32_t mask, bool tell_loss, std::shared_ptr<event_poller> where,
                       event_sink sink);

    std::uint64_t id() const noexcept { return id_; }
    /// Whether another process made it, from which this process was forked or cloned.
    bool inherited() const noexcept { return instance_ != process_instance(); }
    origin from() const noexcept { return from_.load(); }
    std::uint32_t mask() const noexcept { return mask_; }
    registration_kind kind() const noexcept { return kind_; }
    /// Whether it is of this kind and, if it delivers to an event object, whether it is that of `where`.
    bool delivers_to(registration_kind kind, const event_poller& where) const noexcept
    {
        return kind_ == kind && (kind != registration_kind::event_select || poller_.get() == &where);
    }
    /// Whether the event poller has an entry for the descriptor; the other sinks watch it themselves.
    bool has_entry() const noexcept { return kind_ == registration_kind::event_select; }
    /// Begins to watch the descriptor; events before `begin` are not delivered.
    void watch(error_code& ec);
    void forget() noexcept; ///< ends the watch
    const std::shared_ptr<event_poller>& where() const noexcept { return poller_; }
    bool delivers_in_this_thread() const;

    /// Becomes owner under `epoch`, with an epoll entry that was made or changed for it just now. An event that has occurred
    /// already (REG-7) shows in the epoll as an edge of the new entry.
    void begin(std::uint32_t epoch);
    enum class entry : bool { removed, kept };
    /// Ends it. Returns the epoch under which it owned the events, or 0. `kept`: another local registration takes the entry over.
    std::uint32_t end(entry its) noexcept;
    std::uint32_t end() noexcept override { return end(entry::removed); }
    /// The handle has joined the standby queue: from now on, if it is not in the queue any more, its turn has come.
    void joined_line() noexcept;

    // Around an attempt to pass the registration on.
    origin begin_passing() noexcept; ///< returns the former origin, for `keep`
    void passed_on();                ///< from now on it stands by
    void keep(origin from);          ///< no handle stood by: undoes `begin_passing`

    /// Another process has swept this one: the registration is lost. Reports the loss if the registration asked for that.
    void lose_identity() override;

    /// The sink goes: ends it, and cancels the registration or leaves the standby queue (REG-20).
    void cancel_for_good() noexcept;

    void on_edge(std::optional<std::uint32_t> shown); ///< epoll reports `shown`; nullopt: it reports an unknown event
    void on_bell() override;                          ///< a process, perhaps this one, has changed the registration
    void on_change(const network_changes& heard);     ///< the network has changed (EVT-25)
    void look();                                      ///< this process has re-enabled an event, or changed the socket's state
    /// A receive of this process has taken all the data and re-enabled READ: looks only if epoll had reported an event that could
    /// not be delivered then. Epoll reports later events after the receive.
    void look_if_missed();

    /// Registers `accepted` for the same sink and mask (REG-15).
    void select_likewise(handle& accepted, error_code& ec);

    /// The loss to report; returned once (G3).
    std::optional<registration_loss> take_loss();
    /// The one epoch whose record its handle collects; 0 if it has none any more; nullopt: any (ENUM-7, ENUM-10). Also notices a
    /// loss if the doorbell has not been answered yet.
    std::optional<std::uint32_t> collects_only();
    /// If a sink watches the descriptor itself, it watches a duplicate from now on, so that another object can be in the same
    /// reactor under the descriptor's own number. On failure nothing has changed.
    void make_way(error_code& ec);
    /// Whether the program has yet to collect a record or a loss for which it was signalled. Takes no lock.
    bool has_uncollected() const noexcept;
    bool listed_as_uncollected = false; ///< used by the event poller alone, and guarded by the mutex of its flag

    std::uint32_t epoch() const;
    phase state() const;
    /// Whether to register the same once more would change nothing: every event is armed, none is recorded, and no delivery is
    /// under way. An event that no look has found yet still shows in the event poller.
    bool stands(std::uint32_t mask, bool tell_loss, const event_poller& where) const;
    bool owns() const; ///< whether the word still names it: it may have a ring to answer

private:
    void deliver_to_event_object(membership& self, std::optional<std::uint32_t> shown = std::nullopt); // with mutex_ held
    void deliver_changes(membership& self);                                                            // with mutex_ held
    bool claim_change(membership& self, std::uint32_t one);                                            // with mutex_ held
    void watch_holders(membership& self);                                                              // with mutex_ held
    atomic_u32& requests(std::uint32_t change) const noexcept;
    void look_anew();                                     // with mutex_ held
    void become_owner();                                  // with mutex_ held
    void tell_operations(void (operation_sink::*what)()); // with mutex_ held
    void schedule();                                      // with mutex_ held
    void run() override;                                  // on the executor
    void lose(const registration_word& now);              // with mutex_ held
    void signal_record() noexcept;                        // with mutex_ held
    bool promoted(const membership& self, const registration_word& word) const noexcept;

    const std::uint64_t id_;
    const std::uint64_t instance_ = process_instance();
    std::atomic<origin> from_;
    handle& handle_; // the handle ends this before it is destroyed
    const socket_and_handle which_;
    const std::shared_ptr<attachment> attachment_;
    socket_slot& slot_;
    const std::uint64_t socket_number_; // shared_socket::id()
    const std::uint32_t mask_;          // ten bits
    const bool tell_loss_;
    const std::shared_ptr<event_poller> poller_;
    const registration_kind kind_;
    const std::shared_ptr<message_sink> sink_;       // for async_select
    const std::weak_ptr<operation_sink> operations_; // for pending operations
    std::shared_ptr<descriptor_watch> watch_;        // for async_select; changed by the thread that registers, or with mutex_ held;
                                                     // and always with the event poller's mutex, which fork(2) waits for

    std::atomic<std::uint32_t> recorded_epoch_{0}; // the epoch of the latest record that was signalled
    std::atomic<bool> loss_waits_{false};          // whether loss_ is set, for an event object

    using mutex = ranked_mutex<lock_rank::local_registration>;
    mutable mutex mutex_; // guards all below
    phase phase_;
    std::uint32_t epoch_ = 0;
    std::optional<registration_loss> loss_;
    bool in_line_   = false;                    // it stands by, and has joined the standby queue
    bool early_     = false;                    // an edge or a ring came before it was owner
    bool scheduled_ = false;                    // a job is posted or runs
    bool again_     = false;                    // the job looks once more before it ends
    std::optional<std::uint32_t> holders_seen_; // socket_slot::holder_changes when it last began to watch for the holders' deaths
    bool missed_           = false;             // an edge came while a nominated event was disarmed
    std::uint32_t changed_ = 0;                 // requested changes of the network that are not delivered yet
    std::thread::id delivering_;                // the thread that runs the handler
};

/// The registration of a handle. Null: there was none.
inline std::shared_ptr<local_registration> registration_of(const handle& one)
{
    return std::static_pointer_cast<local_registration>(one.registration()); // no other class derives from it
}

/// A socket that the owner's process accepts starts with the listener's registration (REG-15, REG-16).
void inherit_registration(handle& listener, handle& accepted);

} // namespace sharedsock::detail
