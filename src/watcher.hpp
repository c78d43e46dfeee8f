// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attachment.hpp"
#include "change_listener.hpp"
#include "fork_hook.hpp"
#include "unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace sharedsock::detail {

class interest;

/// What an event object is made of, and what an executor's registrations share: an epoll instance that holds the registered
/// sockets themselves, the bells of their attachments and a flag. As epoll instances nest, its descriptor becomes readable as
/// soon as one of them has something to say, with nobody of this process inside the library (EVT-27).
///
/// Threads: safe. Neither of its two mutexes is held while anything else is locked.
/// fork(2): the child's copy is emptied, under the same descriptor number.
class watcher final : public fork_aware, public std::enable_shared_from_this<watcher> {
public:
    watcher(); ///< Throws `system_error`.
    ~watcher();

    int native_handle() const noexcept { return epoll_.get(); }

    /// Adds `descriptor` for `one`, edge-triggered; events for it call `one->on_edge` in `pump`.
    void watch(const std::shared_ptr<interest>& one, int descriptor, std::uint32_t events, error_code& ec);
    /// Must come before the descriptor is closed: the kernel keeps the entry for ever otherwise, while another process has the
    /// socket (measured).
    void forget(const interest& one, int descriptor) noexcept;
    /// Adds an attachment's bell and its watch for deaths, once.
    void listen_to(const std::shared_ptr<attachment>& where, error_code& ec);

    /// Listens for changes of the network from now on, once (EVT-25). `std::errc::operation_not_supported`.
    void listen_for_changes(error_code& ec);

    /// Handles what the kernel reports, without waiting.
    void pump();

    // The flag: signalled or not.
    void set() noexcept;
    void reset() noexcept;
    bool is_set() const noexcept;

    /// Every interest it watches or stands by for; for the end of an event object (REG-20).
    std::vector<std::shared_ptr<interest>> interests();
    void enlist(const std::shared_ptr<interest>& one); ///< also those that only stand by
    void dismiss(const interest& one) noexcept;

    void before_fork() override;
    void after_fork_in_parent() override;
    void after_fork_in_child() noexcept override;

private:
    void make_kernel_objects();

    unique_fd epoll_;  // constant but for fork
    unique_fd flag_;   // an eventfd in the epoll

    mutable std::mutex flag_mutex_; // guards set_ together with the eventfd's counter
    bool set_ = false;

    std::mutex mutex_;              // guards all below
    std::unordered_map<std::uint64_t, std::shared_ptr<interest>> interests_; // by interest::id
    std::vector<std::weak_ptr<attachment>> bells_;
    change_listener changes_;       // open once an interest nominates changes
};

} // namespace sharedsock::detail
