// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/attachment.hpp"
#include "attach/fork_hook.hpp"
#include "base/descriptor_claims.hpp"
#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "events/route_listener.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace sharedsock::detail {

class local_registration;
class descriptor_watch;

/// The epoll instance of an event object, or of the registrations of one executor. It holds the registered sockets themselves, the
/// doorbells of their attachments and a flag. Epoll instances nest, so its descriptor becomes readable as soon as one of them has
/// something to report, also while no thread of this process is inside the library (EVT-27).
///
/// Threads: safe. A thread that holds one of its two mutexes takes no other lock; only the fork hook holds both.
/// fork(2): the child's copy is emptied, under the same descriptor number. In a child of a raw clone(2) it does nothing: the
/// parent owns both descriptors.
class event_poller final : public fork_aware, public std::enable_shared_from_this<event_poller> {
public:
    event_poller(); ///< Throws `system_error`.
    ~event_poller();

    /// -1 once other code of the process has closed it: the library neither polls nor writes to a descriptor of other code.
    int native_handle() noexcept { return is_ours() ? epoll_.get() : -1; }

    /// Adds an edge-triggered entry of `descriptor` for `one`; its events call `one->on_edge` in `pump`.
    void watch(const local_registration& one, int descriptor, std::uint32_t events, error_code& ec);
    /// Gives the entry that `descriptor` has to `one`, edge-triggered; its events call `one->on_edge` in `pump`.
    void watch_instead(const local_registration& one, int descriptor, std::uint32_t events, error_code& ec);
    /// Removes the entry. Call it before the descriptor is closed: otherwise the kernel keeps the entry for as long as another
    /// process has the socket (measured).
    void forget(const local_registration& one, int descriptor) noexcept;
    /// Adds an attachment's doorbell and its death watch, once.
    void listen_to(const std::shared_ptr<attachment>& where, error_code& ec);

    /// Listens for changes of the network from now on, once (EVT-25). `std::errc::operation_not_supported`.
    void listen_for_changes(error_code& ec);

    /// Handles what the kernel reports, without waiting. An error: the kernel may not be asked.
    error_code pump();

    // The flag: signalled or not.
    void set() noexcept;
    void reset() noexcept;
    bool is_set() const noexcept;
    std::uint64_t resets() const noexcept; ///< how often it was cleared; if two calls return the same, it was not cleared between

    /// Sets the flag for `one` (enlisted), which has something to collect. Until the program has collected that, collecting from
    /// another socket leaves the flag set (ENUM-3).
    void signal_for(local_registration& one) noexcept;
    /// Runs `collect` and clears the flag in one step (ENUM-2), unless something is left to collect. `collect` takes no lock.
    template <class Collect>
    void reset_after(Collect collect)
    {
        const std::scoped_lock lock(flag_mutex_);
        collect();
        if (!something_waits()) clear();
    }

    /// Every enlisted local registration; for the end of an event object (REG-20).
    std::vector<std::shared_ptr<local_registration>> registrations();
    void enlist(const std::shared_ptr<local_registration>& one); ///< also if it only stands by
    void dismiss(local_registration& one) noexcept;

    /// Puts `made` in the place of `kept`, so that a fork sees either the old one or the new one; returns the old one.
    std::shared_ptr<descriptor_watch> replace(std::shared_ptr<descriptor_watch>& kept, std::shared_ptr<descriptor_watch> made);

    /// Whether this process made it or was forked with it. False in a child of a raw clone(2).
    bool is_own() const noexcept { return instance_ == process_instance(); }

    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    bool after_fork_in_child(graveyard& dead) noexcept override;
    void free_inherited() noexcept override;

private:
    void make_kernel_objects();
    bool is_ours() noexcept // looks again only after a doubt
    {
        return doubts_.load(std::memory_order_acquire) == descriptor_claims::doubts() ? !lost_.load() : look_whether_ours();
    }
    bool look_whether_ours() noexcept;
    bool renew_kernel_objects() noexcept;
    void free_what_the_parent_had() noexcept; // with mutex_ held
    void raise() noexcept;                    // with flag_mutex_ held
    void clear() noexcept;                    // with flag_mutex_ held
    bool something_waits() noexcept;          // with flag_mutex_ held

    unique_fd epoll_;                                                // constant but for fork
    unique_fd flag_;                                                 // an eventfd in the epoll
    std::atomic<std::uint32_t> doubts_{descriptor_claims::doubts()}; // the count of doubts at the last look at both
    std::atomic<bool> lost_{false};                                  // a look has found that other code has closed one of them
    std::uint64_t instance_ = process_instance();
    std::atomic<std::uint64_t> listens_to_{0}; // attachment::number() of the latest one in bells_; 0: none

    mutable ranked_mutex<lock_rank::event_poller_flag> flag_mutex_; // guards the three below, and the eventfd's counter with them
    bool set_             = false;
    std::uint64_t resets_ = 0;
    std::vector<local_registration*>
        uncollected_; // local registrations that may have something to collect; each is in registrations_ too

    ranked_mutex<lock_rank::event_poller> mutex_;                                          // guards all below
    std::unordered_map<std::uint64_t, std::shared_ptr<local_registration>> registrations_; // by id
    std::vector<std::weak_ptr<attachment>> bells_;
    decltype(registrations_) registrations_of_parent_; // null
    decltype(bells_) bells_of_parent_;
    route_listener changes_; // open once a local registration nominates changes of the network
};

} // namespace sharedsock::detail
