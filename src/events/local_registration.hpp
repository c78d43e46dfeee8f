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
#include <memory>
#include <optional>
#include <thread>

namespace sharedsock::detail {

/// This process's side of a registration, made through one handle: the sink, the epoll entry, and what is known of the epoch.
/// It owns the events as long as the registration word says so, and asks the word before every delivery.
///
///     made --(begin)--> owner
///     standing_by --(the word names us)--> owner --(the word moved)--> lost
///     owner --(begin_passing)--> passing --(keep)--> owner, as it was before
///                                   \--(passed_on)--> standing_by
///           any of them --(end)--> ended
///
/// `passing`: `pass_on` looks for the next in line. The registration is still ours as long as the word says so, and has its entry;
/// nothing is delivered before it is known what came of it.
///
/// One mutex makes the deliveries of one interest in this process one after the other. It is held during a delivery to an event
/// object, which is a few system calls, and never while user code runs. What may be locked under it: docs/concurrency.md.
///
/// fork(2): the registration stays the parent's. A child has no use for an interest that it inherited: every call on it returns
/// before it locks the mutex, which a thread of the parent may have held.
class interest final : public sink_job, public handle_registration, public std::enable_shared_from_this<interest> {
public:
    enum class phase : std::uint8_t { made, standing_by, owner, passing, lost, ended };

    enum class origin : std::uint8_t { select, line }; ///< it took the events over, or waits for its turns: also who passes on

    interest(handle& through, origin from, std::uint32_t mask, bool tell_loss, std::shared_ptr<watcher> where, event_sink sink);

    std::uint64_t id() const noexcept { return id_; }
    /// Whether another process made it, from which this one was forked or cloned.
    bool inherited() const noexcept { return instance_ != process_instance(); }
    origin from() const noexcept { return from_.load(); }
    std::uint32_t mask() const noexcept { return mask_; }
    registration_kind kind() const noexcept { return kind_; }
    /// Whether it is of this kind and, if that is an event object's, of this one.
    bool delivers_to(registration_kind kind, const watcher& where) const noexcept
    {
        return kind_ == kind && (kind != registration_kind::event_select || watcher_.get() == &where);
    }
    /// Whether the watcher has an entry for the descriptor; the other sinks watch it themselves.
    bool has_entry() const noexcept { return kind_ == registration_kind::event_select; }
    /// Begins to watch the descriptor; its events are nobody's before `begin`.
    void watch(error_code& ec);
    void forget() noexcept; ///< the opposite
    const std::shared_ptr<watcher>& where() const noexcept { return watcher_; }
    bool delivers_in_this_thread() const;

    /// Becomes owner under `epoch`, with an epoll entry that was made or changed for it just now. What is true already (REG-7)
    /// shows in the epoll as an edge of the new entry.
    void begin(std::uint32_t epoch);
    enum class entry : bool { removed, kept };
    /// Ends it. Returns the epoch it owned the events under, 0 if it did not. `kept`: another interest takes the entry over.
    std::uint32_t end(entry its) noexcept;
    std::uint32_t end() noexcept override { return end(entry::removed); }
    /// It is in line: what takes it out of the line from now on is its turn.
    void joined_line() noexcept;

    // Around an attempt to pass the registration on.
    origin begin_passing() noexcept; ///< what it was from until now, for `keep`
    void passed_on();                ///< it stands by
    void keep(origin from);          ///< there was nobody to pass it to: everything is as it was before

    /// This process was swept: the registration is lost, and told so if that was asked for.
    void lose_identity() override;

    /// The sink goes: ends it, and cancels the registration or leaves the line (REG-20).
    void cancel_for_good() noexcept;

    void on_edge(std::optional<std::uint32_t> shown); ///< epoll reports this; nothing: it reports something
    void on_bell() override;                          ///< somebody rang for this socket
    void on_change(const network_changes& heard);     ///< the network has changed (EVT-25)
    void look();                                      ///< something was re-enabled in this process
    /// READ was, by a receive that has taken all there was: looks only if epoll has reported anything that could not be delivered
    /// then. What comes after the receive is reported after it.
    void look_if_missed();

    /// Registers `accepted` for the same sink and mask (REG-15).
    void select_likewise(handle& accepted, error_code& ec);

    /// The loss that has to be told, once (G3).
    std::optional<registration_loss> take_loss();
    /// The one epoch whose record its handle collects, 0 if it has none any more; nothing: any (ENUM-7, ENUM-10). A loss of which
    /// the bell has not been answered yet is known afterwards.
    std::optional<std::uint32_t> collects_only();
    /// Where a sink watches the descriptor itself: by a duplicate from now on, so that something else can be in the same reactor
    /// under the descriptor's own number. On failure nothing has changed.
    void make_way(error_code& ec);
    /// Whether something that it was signalled for has yet to be collected: a record, or a loss. Locks nothing.
    bool has_uncollected() const noexcept;
    bool listed_as_uncollected = false; ///< the watcher's own, guarded by its mutex of the flag

    std::uint32_t epoch() const;
    phase state() const;
    /// Whether to register the same once more would change nothing: every event is armed, none is recorded, and nothing is
    /// being delivered. What has become true and was not looked at still shows in the watcher.
    bool stands(std::uint32_t mask, bool tell_loss, const watcher& where) const;
    bool owns() const; ///< whether the word still says so: its bell may not have been answered yet

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
    handle& handle_; // ended before the handle goes
    const socket_and_handle which_;
    const std::shared_ptr<attachment> attachment_;
    socket_slot& slot_;
    const std::uint64_t socket_number_; // shared_socket::id()
    const std::uint32_t mask_;          // ten bits
    const bool tell_loss_;
    const std::shared_ptr<watcher> watcher_;
    const registration_kind kind_;
    const std::shared_ptr<message_sink> sink_;       // of async_select
    const std::weak_ptr<operation_sink> operations_; // of operations
    std::shared_ptr<descriptor_watch> watch_;        // of async_select; changed by the thread that registers, or with mutex_ held,
                                                     // and in both cases with the watcher's, which fork(2) waits for

    std::atomic<std::uint32_t> recorded_epoch_{0}; // of the latest record that was signalled
    std::atomic<bool> loss_waits_{false};          // whether loss_ is set, for an event object

    using mutex = ranked_mutex<lock_rank::local_registration>;
    mutable mutex mutex_; // guards all below
    phase phase_;
    std::uint32_t epoch_ = 0;
    std::optional<registration_loss> loss_;
    bool in_line_   = false;                    // it stands by, and has joined the line
    bool early_     = false;                    // there was something to look at before it was owner
    bool scheduled_ = false;                    // a job is posted or runs
    bool again_     = false;                    // look once more before it ends
    std::optional<std::uint32_t> holders_seen_; // socket_slot::holder_changes when their deaths were last seen to
    bool missed_           = false;             // an edge was seen while a nominated event was disarmed
    std::uint32_t changed_ = 0;                 // changes of the network that were asked for and are not delivered yet
    std::thread::id delivering_;                // the thread that runs the handler
};

/// The registration of a handle. Null: there was none.
inline std::shared_ptr<interest> registration_of(const handle& one)
{
    return std::static_pointer_cast<interest>(one.registration()); // no other class derives from it
}

/// REG-15, REG-16: a socket that was accepted in the owner's process starts with the listener's registration.
void inherit_registration(handle& listener, handle& accepted);

} // namespace sharedsock::detail
