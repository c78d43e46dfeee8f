// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace sharedsock::systemd {

/// Tells the service manager what the service does (sd_notify(3)), through the socket that NOTIFY_SOCKET names.
///
/// Without a manager (`!notifier`) each call does nothing and succeeds, so a service calls them wherever it was started. The
/// manager judges a message by its sender: for messages of workers the unit needs NotifyAccess=all.
///
/// @par Errors
/// Each call has two forms; the one without `ec` throws `system_error`. `std::errc::timed_out`: the manager did not read for five
/// seconds. `std::errc::invalid_argument`: a text with a line end in it, or a name that is no FDNAME= (1 to 255 printable
/// characters of ASCII without a colon). Else those of sendmsg(2): the manager has gone, or another has taken its place and its
/// socket is not at the path.
/// @par Safety
/// Threads: safe. fork(2): a child's copy goes on working; the manager sees the child's pid. Changed root, user or name spaces: go
/// on working, because the socket is connected at the beginning. Signal handlers: not callable.
class notifier {
public:
    notifier() noexcept = default; ///< without a manager
    notifier(notifier&& other) noexcept;
    notifier& operator=(notifier&& other) noexcept;
    ~notifier();

    /// Connects to the socket that NOTIFY_SOCKET names: a path, or an abstract name after '@'. The variable stays: libraries of
    /// other makers may read it too; unset it before starting programs that are not to speak for the service. Not set: an empty
    /// notifier, without an error. `errc::bad_manager_variable`: it is neither kind of name.
    static notifier from_environment(error_code& ec);
    static notifier from_environment();

    explicit operator bool() const noexcept { return socket_ >= 0; } ///< whether a manager listens

    void ready(error_code& ec) const; ///< READY=1: the start, or the reload, is complete
    void ready() const;
    void reloading(error_code& ec) const; ///< RELOADING=1 with MONOTONIC_USEC, as Type=notify-reload wants it; `ready` ends it
    void reloading() const;
    void stopping(error_code& ec) const; ///< STOPPING=1: the shutdown has begun
    void stopping() const;
    void status(std::string_view text, error_code& ec) const; ///< STATUS=: one line for `systemctl status`
    void status(std::string_view text) const;
    void main_pid(pid_t pid, error_code& ec) const; ///< MAINPID=: this process is the service from now on
    void main_pid(pid_t pid) const;
    /// EXTEND_TIMEOUT_USEC=: the start, the reload or the stop may take this much longer from now.
    void extend_timeout(std::chrono::microseconds by, error_code& ec) const;
    void extend_timeout(std::chrono::microseconds by) const;
    /// WATCHDOG=1: the service is alive. Due at least once in each `watchdog_period`; half of it is usual.
    void watchdog(error_code& ec) const;
    void watchdog() const;

    /// BARRIER=1: returns when the manager has worked on all that this process sent before. `std::errc::timed_out` if that takes
    /// longer than `limit`. Call it before an exit that would make messages ownerless, and after `store`, before descriptors close.
    void barrier(std::chrono::milliseconds limit, error_code& ec) const;
    void barrier(std::chrono::milliseconds limit = std::chrono::seconds(5)) const;

    /// Whether the manager drops a stored descriptor by itself when it shows an error or a hang-up (FDPOLL=).
    enum class drop_when { hung_up, removed_only };

    /// FDSTORE=1: the manager keeps duplicates of `descriptors` under `name`, and passes them to the service's next start
    /// (`passed_descriptors`). The unit needs FileDescriptorStoreMax=; the manager drops descriptors above that limit without a
    /// word: ask `store_limit`. The caller keeps its descriptors.
    void store(std::string_view name, std::span<const int> descriptors, error_code& ec, drop_when = drop_when::hung_up) const;
    void store(std::string_view name, std::span<const int> descriptors, drop_when = drop_when::hung_up) const;
    /// FDSTOREREMOVE=1: the manager closes all that it keeps under `name`.
    void forget(std::string_view name, error_code& ec) const;
    void forget(std::string_view name) const;

    /// Any other message: lines of NAME=value.
    void send(std::string_view lines, error_code& ec) const;
    void send(std::string_view lines) const;

private:
    void deliver(std::string_view lines, std::span<const int> descriptors, error_code& ec) const;

    std::string address_; // as in NOTIFY_SOCKET
    int socket_ = -1;
};

/// How long the manager waits for `notifier::watchdog` of this process before it takes the service for hung (WATCHDOG_USEC,
/// WATCHDOG_PID; sd_watchdog_enabled(3)); nothing if the unit has no WatchdogSec=. `errc::bad_manager_variable`: malformed.
std::optional<std::chrono::microseconds> watchdog_period(error_code& ec);
std::optional<std::chrono::microseconds> watchdog_period();

/// How many descriptors the manager keeps for this service (FDSTORE, set by systemd 254 and later); nothing if it does not say.
/// `errc::bad_manager_variable`: malformed.
std::optional<std::size_t> store_limit(error_code& ec);
std::optional<std::size_t> store_limit();

} // namespace sharedsock::systemd
