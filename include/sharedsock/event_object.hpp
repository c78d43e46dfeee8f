// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace sharedsock {

namespace detail {
class event_poller;
}

/// A manual-reset flag that network events set, and that any loop can wait for (Winsock's WSAEVENT).
///
/// It belongs to the process that made it (REG-20): a forked child's copy is a fresh, unsignalled object that nothing
/// sets. It may serve many sockets, of several segments, and may be used without any. Destroying it cancels the
/// registrations whose sink it is.
///
/// @par In a foreign loop
/// `native_handle()` becomes readable when the object is signalled *or* when the library has work to do for it that may
/// signal it (EVT-27: no thread of this process has to be inside the library). So: poll(2) it, epoll(7) it or give it to
/// Asio, and when it is readable call `is_set()`, `wait()` or `enum_network_events()`. An edge-triggered loop (EPOLLET) must
/// answer each wake-up by one of these calls, even one after which nothing is signalled: else there may be no next edge.
///
/// @par Safety
/// Threads: safe, except destruction. fork(2): the child's copy is a fresh object. Signal handlers: not callable.
class event_object {
public:
    /// Makes an unsignalled object. Throws `system_error` when descriptors or memory run out.
    event_object();
    ~event_object();
    event_object(event_object&&) noexcept;
    event_object& operator=(event_object&&) noexcept;

    void set();                  ///< Signals it by hand (WSASetEvent).
    void reset();                ///< Clears the signal (WSAResetEvent). Collecting events is the proper way (ENUM-2).
    [[nodiscard]] bool is_set(); ///< Whether it is signalled now; looks at the kernel first. Never blocks.

    void wait();                               ///< Waits until it is signalled. Does not reset it.
    bool wait(std::chrono::nanoseconds limit); ///< Waits at most `limit`; false when that has passed first. 0 polls.

    /// The descriptor to poll for readability. Constant for the object's life; do not read from it or close it.
    int native_handle() const noexcept;

    /// This process's side of the object; for the library itself.
    const std::shared_ptr<detail::event_poller>& poller() const noexcept { return poller_; }

private:
    std::shared_ptr<detail::event_poller> poller_;
};

/// Waits until one of `objects` is signalled; the lowest such index, or nothing when `limit` passed (ENUM-9). Its limit is not 64
/// but poll(2)'s, the limit of open files; with more objects it throws `errc::too_many_wait_objects`.
std::optional<std::size_t> wait_any(std::span<event_object* const> objects,
                                    std::optional<std::chrono::nanoseconds> limit = std::nullopt);

/// Waits until all of `objects` are signalled at one moment; false when `limit` passed (ENUM-9). Alters no object. Takes as many
/// objects as `wait_any`.
bool wait_all(std::span<event_object* const> objects, std::optional<std::chrono::nanoseconds> limit = std::nullopt);

} // namespace sharedsock
