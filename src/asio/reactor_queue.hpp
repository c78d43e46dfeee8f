// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/ranked_mutex.hpp"

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/error.hpp>

#include <boost/intrusive/list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// An operation that waits for a descriptor, or for its completion. It is in one list at most, and owns itself: `complete` ends it.
class queued_operation : public boost::intrusive::list_base_hook<> {
public:
    using complete_function = void (*)(void* owner, queued_operation* one, const error_code& ec, std::size_t bytes);

    void complete(void* owner) { complete_(owner, this, {}, 0); } ///< null: destroys it without its handler

protected:
    explicit queued_operation(complete_function how) noexcept : complete_(how) {}
    ~queued_operation() = default;

private:
    const complete_function complete_;
};

class reactor_operation : public queued_operation {
public:
    enum status { not_done, done };
    using perform_function = status (*)(reactor_operation* one);

    status perform() { return perform_(this); }

    error_code ec_;
    void* cancellation_key_ = nullptr;

protected:
    reactor_operation(const error_code& success, perform_function attempt, complete_function how) noexcept
        : queued_operation(how), ec_(success), perform_(attempt)
    {}
    ~reactor_operation() = default;

private:
    const perform_function perform_;
};

/// The operations that wait for one descriptor. Decides which of them an event performs; makes no system call itself.
///
/// Threads: safe. `perform` of an operation runs with the queue's mutex held.
class reactor_queue {
public:
    enum class direction : std::uint8_t { read, write, except };
    using list = boost::intrusive::list<queued_operation, boost::intrusive::constant_time_size<false>>;
    enum class outcome { performed, queued, queued_first, closed };

    reactor_queue(int descriptor, std::uint64_t id) noexcept : descriptor_(descriptor), id_(id) {}

    int descriptor() const noexcept { return descriptor_; }
    std::uint64_t id() const noexcept { return id_; }

    /// Performs the operation, or queues it. `speculative`: tries at once, unless others wait. `queued_first`: it has not been
    /// tried, and no operation waits before it, so it is not known whether the descriptor is ready.
    outcome start(reactor_operation& one, direction which, bool speculative);
    void observe(reactor_operation& observer); ///< before the descriptor can be ready
    /// `events` of epoll_wait(2): moves what they complete to the end of `done`.
    void perform(std::uint32_t events, list& done);
    void take_all(list& taken) noexcept;
    void take_by_key(direction which, const void* key, list& taken) noexcept;
    void close(list& taken) noexcept; ///< takes all, and accepts no more
    void begin_in_child() noexcept;   ///< a thread of the parent may have held the mutex

private:
    list& of(direction which) noexcept { return waiting_[static_cast<std::size_t>(which)]; }

    const int descriptor_;
    const std::uint64_t id_;
    ranked_mutex<lock_rank::asio_descriptor> mutex_; // guards all below
    std::array<list, 3> waiting_;
    bool closed_ = false;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
