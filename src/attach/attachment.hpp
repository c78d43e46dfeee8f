// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/fork_hook.hpp"
#include "attach/handle_index.hpp"
#include "attach/handle_locks.hpp"
#include "attach/outgoing_hand_over.hpp"
#include "base/process_identity.hpp"
#include "base/ranked_mutex.hpp"
#include "ipc/doorbell.hpp"
#include "ipc/mail_peers.hpp"
#include "ipc/mailbox.hpp"
#include "member/death_watch.hpp"
#include "member/membership.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_file.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/segment.hpp>

#include <boost/intrusive/list.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace sharedsock::detail {

class handle;

/// One process's attachment to one segment: its parts are built in order and torn down in the reverse order. `segment` is its
/// public face; every `shared_socket` keeps it alive.
///
/// One process may have several attachments, also to one segment; each has a process index of its own.
///
/// fork(2): the fork hook calls `before_fork` in the parent, then `after_fork_in_parent` and `after_fork_in_child`. When fork
/// returns in the parent, the child is a member itself, with a handle record for each inherited handle.
class attachment final : public page_source, public mail_peers, public fork_aware, public std::enable_shared_from_this<attachment> {
public:
    /// Attaches to the segment in `file`.
    static std::shared_ptr<attachment> join(std::unique_ptr<segment_file> file, const segment_options& options, error_code& ec);
    ~attachment();

    /// The member that does the work. `errc::not_attached`: this is a raw clone(2)'s copy, or attaching failed in a forked
    /// child. `errc::identity_lost`: see `confirm_identity`, which this calls when it was not called for a second, or when one
    /// fstat(2) shows that other code has closed this process's descriptors. The caller holds no lock of an attachment, a handle
    /// or a local registration.
    membership* member(error_code& ec) noexcept;
    /// The member, without that fstat(2): for calls that programs make for each connection or message.
    membership* recent_member(error_code& ec) noexcept;
    /// The member, for a caller that cannot report an error: null if not attached. Confirms nothing.
    membership* member() noexcept;
    /// A forked child that could not become a member joins now, if the reason may have passed. Null, and `ec` says why: it is none.
    membership* join_late(error_code& ec) noexcept;
    /// That fstat(2) alone, before a call that does touch the descriptors. False: the identity is lost. @pre it is attached
    bool keeps_descriptors() noexcept;

    /// Whether this process still is the incarnation that it was in the segment (`membership::confirm_identity`). If not, its
    /// registrations are told of their loss, and each of its handles fails from now on.
    /// A process that has kept its process index, but has lost the memory's descriptor or the mailbox, gives the index up.
    bool confirm_identity() noexcept;
    bool identity_lost() const noexcept { return member_.identity_lost(); }

    segment_file& file() noexcept { return *file_; }
    mailbox& box() noexcept { return box_; }
    doorbells& bells() noexcept { return bells_; }
    death_watch& deaths() noexcept { return deaths_; }
    const std::array<std::uint8_t, 16>& uuid() const noexcept { return uuid_; }
    /// Not 0, and no other attachment that this process has made has it.
    std::uint64_t number() const noexcept { return number_; }

    // --- this process's open handles, for the doorbell and for fork ---------------------------------------------------

    handle_locks& locks() noexcept { return locks_; }
    void enlist(handle& opened);            ///< adds a handle when it is made
    void dismiss(handle& closing) noexcept; ///< removes it when it closes
    /// The open handles of this process to a socket; kept alive by the result.
    std::vector<std::shared_ptr<handle>> handles_of(std::uint32_t socket);

    /// Whether an open handle of this process has this SO_COOKIE. One lookup, however many handles are open.
    bool shares_cookie(std::uint64_t cookie);

    /// Opens this process's doorbell, and begins to watch for deaths: before the first registration. Idempotent.
    void hang_bell(error_code& ec);
    /// Answers the doorbell and the death watch: looks again at every socket that was rung (`handle::on_bell`).
    void answer_bell();

    // --- serving (attachment_serving.cpp) ---------------------------------------------------------------------------

    int serving_handle(); ///< readable when `serve` has work: from the mailbox or the doorbell; throws if it cannot be made
    /// Reads the mailbox, answers requests, keeps the messages for `redeem_offered`; answers the doorbell; retries closes.
    /// An error: the mailbox could not be read; all else has been done.
    void serve(error_code& ec);
    /// Redeems a delivered ticket and takes its descriptor in one step: of threads that race, one gets both. Reads the mailbox
    /// if need be. `too_many_files_open`: the message is there, but the descriptor table is full; `ticket_used`: another thread
    /// or process was faster. Empty and no error: there is no such message, and the ticket is not redeemed.
    unique_fd redeem_offered(record_id ticket, std::uint64_t nonce, error_code& ec);
    /// Asks the live holders of a socket for a descriptor: by pidfd_getfd(2) where allowed, else by a message, with patience.
    /// `no_serving_holder`: none answered; `closed_handle`: no process holds the socket any more.
    unique_fd fetch_descriptor(record_id socket, error_code& ec, std::optional<std::uint32_t> only_from = std::nullopt);
    /// The messages of tickets that lie in the mailbox.
    std::vector<mail_message> waiting_messages();
    /// Closes the descriptors that no call will ask for: those of revoked tickets, and of answers that came too late (DUP-8).
    void drop_dead_messages() noexcept;

    // --- hand-overs (attachment_hand_overs.cpp) -------------------------------------------------------------------------

    /// A hand-over that this process has taken: `taken` is its handle.
    struct arrival {
        std::shared_ptr<handle> taken;
        std::vector<std::byte> bytes;
        std::uint64_t tag = 0;
        process_id from;
    };
    /// Readable when `take_arrival` may have something; -1 and an error if it cannot be made.
    int arrivals_handle(error_code& ec);
    /// From now on senders hear `target_gone`; messages that were sent before arrive as ever.
    void refuse_messages(error_code& ec);
    /// The next hand-over that waits, without blocking. `bad_hand_over` and `wrong_descriptor` end the hand-over; after any
    /// other error it still waits.
    std::optional<arrival> take_arrival(error_code& ec);

    /// The next hand-over that waits, as it describes itself. It stays where it is; nothing if none waits. `bad_hand_over`: as
    /// `take_arrival`.
    struct announcement {
        record_id record;
        std::uint64_t nonce = 0;
        std::uint64_t tag   = 0;
        std::size_t size    = 0;
        process_id from;
    };
    std::optional<announcement> look_at_arrival(error_code& ec);
    /// Sends exactly that one back to its sender; one that has no sender to go back to is closed. False if it does not wait any
    /// more.
    bool decline_arrival(record_id record, std::uint64_t nonce);

    // --- acknowledged hand-overs, the giving side (attachment_giving.cpp) ------------------------------------------------

    /// A timer for a hand-over that is about to go out. Fails as timerfd_create(2).
    unique_fd take_alarm(error_code& ec);
    /// The message is out: watches for the death of its target, and sets the alarm, if that is wanted, when `one` is settled.
    void await_taker(outgoing_hand_over& one) noexcept;
    void stop_awaiting(outgoing_hand_over& one) noexcept;
    /// From now on the alarm rings (its descriptor is readable) when `one` is settled; look whether it was before this call. It
    /// also rings when that time is over.
    void want_alarm(outgoing_hand_over& one, std::optional<std::chrono::nanoseconds> at_the_latest) noexcept;
    /// The same, and the alarm stays with `one` for as long as that lives. It rings already if `one` is settled.
    void keep_alarm(outgoing_hand_over& one) noexcept;

    /// Keeps the descriptor of a ticket by pid, in a deposit, until the ticket is redeemed or ends.
    void keep_descriptor(const socket_and_handle& ticket, const seen_process& target, unique_fd deposited);
    void forget_descriptors() noexcept; ///< drops those that are needed no more

    // --- work that is retried ---------------------------------------------------------------------------------------

    /// Notes a close that failed because a stopped process holds the slot's lock: `serve` and `recent_member` retry it.
    void close_later(const socket_and_handle& which) noexcept;
    /// Ends the record of an offer that was not sent, or that arrived and cannot be taken. If a stopped process holds the slot's
    /// lock, this is retried later.
    void give_up(const socket_and_handle& record) noexcept;

    // --- fork (attachment_fork.cpp) ---------------------------------------------------------------------------------

    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    bool after_fork_in_child(graveyard& dead) noexcept override;
    void free_inherited() noexcept override;
    void end_with_process() noexcept override;
    /// Whether this process made it or was forked with it, attached or not. False in a child of a raw clone(2).
    bool is_own() const noexcept { return process_ == process_instance(); }

    void back_handle(std::uint32_t index, error_code& ec) noexcept override;
    void back_socket(std::uint32_t index, error_code& ec) noexcept override;

    // --- for the mailbox --------------------------------------------------------------------------------------------

    void note_own_user() noexcept override;
    bool is_user(uid_t user) const noexcept override;
    box_place find_box(std::uint32_t index) const noexcept override;

private:
    attachment(segment_file& file, std::shared_ptr<liveness_lock> life, const segment_options& options);
    void become_member(error_code& ec);
    void leave() noexcept;       ///< ends the membership in order, if there is one
    void appear(error_code& ec); ///< opens the mailbox, then publishes the process record
    void introduce() noexcept;   ///< writes the pid, the name and the rest into the process record
    std::vector<std::shared_ptr<handle>> all_handles();
    void look_at_all();
    std::shared_ptr<handle> any_open_handle() noexcept;
    /// Reads messages until none is left or `enough` says so; with mutex_ held.
    void read_mail(error_code& ec, const std::function<bool()>& enough = {});
    void answer_request(const mail_message& request); ///< with mutex_ held
    bool arrivals_wait() const noexcept;              ///< with mutex_ held
    using mail_iterator = std::vector<delivered_message>::iterator;
    mail_iterator find_message(mail_message::kind what, record_id ticket, std::uint64_t nonce); ///< with mutex_ held
    void forget_kept() noexcept; ///< drops kept descriptors whose ticket is redeemed or dead; with mutex_ held
    const handle* any_open_handle_to(record_id socket) const noexcept; ///< with mutex_ held
    unique_fd own_descriptor(record_id socket);
    void end_tickets_of_the_dead() noexcept;
    void retry_closes() noexcept;
    bool worth_keeping(const mail_message& text) const noexcept;
    void keep_arrival(delivered_message&& arrived);    ///< for `take_arrival`, if it is good; with mutex_ held
    void note_arrivals() noexcept;                     ///< makes `arrived_` readable if hand-overs wait; with mutex_ held
    record_id socket_of_next_arrival() const noexcept; ///< with mutex_ held
    /// Takes one of those that were read; with mutex_ held.
    std::optional<arrival> take_read_arrival(const std::shared_ptr<handle>& room, socket_and_handle& ended, error_code& ec);
    bool is_known_offer(const mail_message& text);   ///< with mutex_ held
    mail_iterator next_arrival(error_code& ec);      ///< after reading the mail; with mutex_ held
    std::vector<mail_message> close_mail() noexcept; ///< the acknowledged hand-overs that have come, and were not taken
    bool is_settled(const outgoing_hand_over& one) const noexcept;
    void alarm_givers() noexcept;
    void make_serving_epoll(error_code& ec);
    void join_in_child() noexcept;                ///< with mutex_ held
    void abandon_what_the_parent_has() noexcept;  ///< in a forked child
    void free_what_the_parent_had() noexcept;     ///< with the locks of `before_fork` held
    void adopt_handles(graveyard& dead) noexcept; ///< in a forked child
    void stop_serving() noexcept;                 ///< nothing makes the serving handle readable any more
    bool descriptors_are_ours() noexcept;
    bool prove_descriptors() noexcept; ///< at the end: releases descriptors that other code has closed; true if there were none

    static inline std::atomic<std::uint64_t> last_number_{0};
    const std::uint64_t number_ = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
    std::unique_ptr<segment_file> file_;  // constant once it has joined
    std::shared_ptr<liveness_lock> life_; // constant
    std::array<std::uint8_t, 16> uuid_{}; // constant
    doorbells bells_;
    mailbox box_;
    membership member_;
    death_watch deaths_;
    std::atomic<std::uint64_t> instance_{0}; // process_instance() of the process that is the member; 0: none is
    std::uint64_t process_ = 0;              // process_instance() of the process that made it, or was forked with it
    error_code not_joined_;                  // why a forked child is no member, though its parent was one; guarded by mutex_

    std::atomic<std::time_t> confirmed_{0}; // when the identity was last confirmed, by the coarse monotonic clock

    ranked_mutex<lock_rank::attachment> mutex_; // guards all below; never held while user code runs
    handle_index<handle> handles_;
    handle_locks locks_;                            // each guards members of handles, and is taken after mutex_ or alone
    std::vector<delivered_message> mail_;           // offers and grants that no call has taken yet
    std::vector<delivered_message> mail_of_parent_; // without descriptors
    std::vector<std::uint64_t> requests_;           // nonces of requests whose grants are awaited
    struct kept_descriptor {
        socket_and_handle ticket;
        seen_process target;
        unique_fd descriptor; // a deposit
        std::uint64_t cookie; // its SO_COOKIE
    };
    std::vector<kept_descriptor> kept_; // of tickets by pid
    std::vector<socket_and_handle> unfinished_closes_;
    unique_fd serving_;               // epoll of the mailbox, the doorbell, the death watch and the tick
    unique_fd tick_;                  // a timer; it exists once that epoll is filled
    unique_fd arrivals_;              // epoll of the mailbox and of `arrived_`
    unique_fd arrived_;               // an eventfd, readable while a hand-over that was read waits to be taken
    std::size_t forged_arrivals_ = 0; // that `take_arrival` has not reported yet
    boost::intrusive::list<outgoing_hand_over, boost::intrusive::constant_time_size<false>> outgoing_;
    unique_fd spare_alarm_; // of a hand-over that was settled, for the next one
};

} // namespace sharedsock::detail
