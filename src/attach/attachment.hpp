// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/fork_hook.hpp"
#include "base/descriptor_proof.hpp"
#include "base/process_identity.hpp"
#include "base/ranked_mutex.hpp"
#include "ipc/doorbell.hpp"
#include "ipc/mailbox.hpp"
#include "member/death_watch.hpp"
#include "member/membership.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_file.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/segment.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sharedsock::detail {

class handle;

/// One process's attachment to one segment: all its rooms, built in order and torn down in the reverse. `segment` is its
/// public face; every `shared_socket` keeps it alive.
///
/// Several may exist in one process, of one segment too, each with a process index of its own.
///
/// fork(2): the fork hook calls `before_fork` in the parent, then `after_fork_in_parent` and `after_fork_in_child`; the child
/// is a member of its own right, with a handle record for each inherited handle, when fork returns in the parent.
class attachment final : public page_source, public fork_aware, public std::enable_shared_from_this<attachment> {
public:
    /// Attaches to the segment in `file`.
    static std::shared_ptr<attachment> join(std::unique_ptr<segment_file> file, const segment_options& options, error_code& ec);
    ~attachment();

    /// The member that does the work. `errc::not_attached`: this is a raw clone(2)'s copy, or attaching failed in a forked
    /// child. `errc::identity_lost`: see `confirm_identity`, which this calls when it was not called for a second, or when one
    /// fstat(2) shows that other code has closed our descriptors. No lock of an attachment, a handle or an interest may be held.
    membership* member(error_code& ec) noexcept;
    /// Likewise without that system call, for calls that programs make for each connection or message.
    membership* recent_member(error_code& ec) noexcept;
    /// Likewise where an error has nowhere to go: null if not attached.
    membership* member() noexcept;

    /// Whether this process still is who it was in the segment (`membership::confirm_identity`). If not, its registrations are
    /// told of their loss, and each of its handles fails from now on.
    /// A process that has kept its place and lost what it needs there, the memory's descriptor or the mailbox, gives it up.
    bool confirm_identity() noexcept;
    bool identity_lost() const noexcept { return member_.identity_lost(); }

    segment_file& file() noexcept { return *file_; }
    mailbox& box() noexcept { return box_; }
    doorbells& bells() noexcept { return bells_; }
    death_watch& deaths() noexcept { return deaths_; }
    const std::array<std::uint8_t, 16>& uuid() const noexcept { return uuid_; }

    // --- this process's open handles, for the bell and for fork -------------------------------------------------------

    void enlist(handle& opened);            ///< every open handle of this attachment, from its making ...
    void dismiss(handle& closing) noexcept; ///< ... to its close
    /// The open handles of this process to a socket; kept alive by the result.
    std::vector<std::shared_ptr<handle>> handles_of(std::uint32_t socket);

    /// Whether an open handle of this process has this SO_COOKIE. One lookup, however many handles are open.
    bool shares_cookie(std::uint64_t cookie);

    /// Hangs the own bell, and begins to watch for deaths: before the first registration. Idempotent.
    void hang_bell(error_code& ec);
    /// Answers the bell and the death watch: every socket that was rung is looked at anew (`handle::on_bell`).
    void answer_bell();

    // --- serving (serving.cpp) --------------------------------------------------------------------------------------

    int serving_handle(); ///< readable when `serve` has something to do: the mailbox or the bell; throws if it cannot be made
    /// Reads the mailbox, answers requests, keeps what arrived for `redeem_offered`; answers the bell; closes what is due.
    /// An error: the mailbox could not be read; all else has been done.
    void serve(error_code& ec);
    /// The one redemption of a ticket that was delivered, together with taking its descriptor: of threads that race, one has
    /// both. Reads the mailbox if need be. `too_many_files_open`: it is there, but there is no room for it; `ticket_used`:
    /// somebody else was faster. Empty and no error: there is no such letter, and the ticket is not redeemed.
    unique_fd redeem_offered(record_id ticket, std::uint64_t nonce, error_code& ec);
    /// Whether the letter of a ticket was read and has not been taken yet.
    /// Asks the live holders of a socket for a descriptor: pidfd_getfd(2) where allowed, else by mail, with patience.
    /// `no_serving_holder`; `closed_handle`: nobody holds it any more.
    unique_fd fetch_descriptor(record_id socket, error_code& ec, std::optional<std::uint32_t> only_from = std::nullopt);
    /// Tickets that lie in the mailbox.
    std::vector<letter> waiting_letters();
    /// Closes what nobody will ask for any more: descriptors of tickets that were revoked, answers that came too late (DUP-8).
    void drop_dead_letters() noexcept;

    // --- hand-overs (arrivals.cpp) ------------------------------------------------------------------------------------

    /// A hand-over that this process has taken: `taken` is its handle.
    struct arrival {
        std::shared_ptr<handle> taken;
        std::vector<std::byte> bytes;
        std::uint64_t tag = 0;
        process_id from;
    };
    /// Readable when `take_arrival` may have something; -1 and an error if it cannot be made.
    int arrivals_handle(error_code& ec);
    /// The next hand-over that waits, without blocking. An error leaves it where it is, save for `bad_hand_over` and
    /// `wrong_descriptor`: those end it.
    std::optional<arrival> take_arrival(error_code& ec);

    /// The descriptor of a ticket for a process that has not attached: it stays here until the ticket is redeemed or dies.
    void keep_descriptor(const socket_and_handle& ticket, const seen_process& target, unique_fd descriptor);

    // --- what could not be done at once -----------------------------------------------------------------------------

    /// A close whose slot was locked by a stopped process; tried again at every opportunity.
    void close_later(const socket_and_handle& which) noexcept;
    /// Ends a record that was to be offered, or that came as an offer and cannot be had; later, if a stopped process has locked its
    /// slot.
    void give_up(const socket_and_handle& record) noexcept;

    // --- fork (fork_hook.cpp) ---------------------------------------------------------------------------------------

    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    bool after_fork_in_child(graveyard& dead) noexcept override;
    /// Whether it is this process's, attached or not: not so in a child of a raw clone(2).
    bool is_own() const noexcept { return process_ == process_instance(); }

    void back_handle(std::uint32_t index, error_code& ec) noexcept override;
    void back_socket(std::uint32_t index, error_code& ec) noexcept override;

private:
    attachment(segment_file& file, std::shared_ptr<life_lock> life, const segment_options& options);
    void become_member(error_code& ec);
    void appear(error_code& ec); ///< opens the mailbox, and lets others see who this is
    error_code why_not_attached() const noexcept;
    void introduce() noexcept; ///< writes what people want to know into the process record
    std::vector<std::shared_ptr<handle>> all_handles();
    void look_at_all();
    std::shared_ptr<handle> any_open_handle() noexcept;
    /// Until there is no more, or `enough` says so; with mutex_ held.
    void read_mail(error_code& ec, const std::function<bool()>& enough = {});
    void answer_request(const letter& request); ///< with mutex_ held
    bool arrivals_wait() const noexcept;        ///< likewise
    using mail_iterator = std::vector<delivered_letter>::iterator;
    mail_iterator find_letter(letter::kind what, record_id ticket, std::uint64_t nonce); ///< likewise
    void forget_kept() noexcept; ///< those whose ticket is redeemed or dead; likewise
    unique_fd own_descriptor(record_id socket);
    void end_tickets_of_the_dead() noexcept;
    void retry_closes() noexcept;
    bool worth_keeping(const letter& text) const noexcept;
    void keep_arrival(delivered_letter&& arrived);     ///< for `take_arrival`, if it is good; with mutex_ held
    void note_arrivals() noexcept;                     ///< whoever waits for hand-overs sees whether there are any; likewise
    record_id socket_of_next_arrival() const noexcept; ///< likewise
    /// Of those that were read; likewise.
    std::optional<arrival> take_read_arrival(const std::shared_ptr<handle>& room, socket_and_handle& ended, error_code& ec);
    bool is_known_offer(const letter& text); ///< likewise
    void make_serving_epoll(error_code& ec);
    void abandon_what_the_parent_has() noexcept;  ///< in a forked child
    void adopt_handles(graveyard& dead) noexcept; ///< in a forked child
    void stop_serving() noexcept;                 ///< nothing makes the serving handle readable any more
    bool descriptors_are_ours() noexcept;
    bool prove_descriptors() noexcept; ///< at the end: lets go of what is not ours any more; whether there was nothing of that

    std::unique_ptr<segment_file> file_;  // constant once it has joined
    std::shared_ptr<life_lock> life_;     // constant
    std::array<std::uint8_t, 16> uuid_{}; // constant
    doorbells bells_;
    mailbox box_;
    membership member_;
    death_watch deaths_;
    std::uint64_t instance_ = 0; // process_instance() of the process that is the member; 0: none is
    std::uint64_t process_  = 0; // of the process that it was made in, or forked into
    error_code not_joined_;      // why a forked child is no member, though its parent was one

    std::atomic<std::time_t> confirmed_{0}; // when, by the coarse monotonic clock

    ranked_mutex<lock_rank::attachment> mutex_;                       // guards all below; never held while user code runs
    std::unordered_map<std::uint32_t, std::vector<handle*>> handles_; // by socket index
    std::unordered_multimap<std::uint64_t, handle*> by_cookie_;       // the same handles, by SO_COOKIE of their socket
    std::vector<delivered_letter> mail_;                              // offers and grants that nobody has taken yet
    std::vector<std::uint64_t> requests_;                             // nonces of requests whose grants are awaited
    struct kept_descriptor {
        socket_and_handle ticket;
        seen_process target;
        unique_fd descriptor;
        std::uint64_t cookie; // SO_COOKIE of it
    };
    std::vector<kept_descriptor> kept_; // of tickets for processes that have not attached
    std::vector<socket_and_handle> unfinished_closes_;
    unique_fd serving_; // epoll of the mailbox, the bell, the death watch and the tick, which is there when the epoll is filled
    unique_fd tick_;
    unique_fd arrivals_;              // epoll of the mailbox and of ...
    unique_fd arrived_;               // an eventfd, readable while a hand-over that was read waits to be taken
    std::size_t forged_arrivals_ = 0; // of which nobody was told yet
};

/// 64 random bits, of those that getrandom(2) gave for several.
std::uint64_t random_number();

} // namespace sharedsock::detail
