// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor.hpp"

#include <cstdint>
#include <memory>
#include <mutex>

#include <sys/epoll.h>

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

constexpr std::uint32_t events_of(reactor_queue::direction which) noexcept
{
    const std::uint32_t own = which == reactor_queue::direction::read    ? std::uint32_t{EPOLLIN}
                              : which == reactor_queue::direction::write ? std::uint32_t{EPOLLOUT}
                                                                         : std::uint32_t{EPOLLPRI};
    return own | EPOLLERR | EPOLLHUP;
}

} // namespace

// Urgent data are read first: a receive that follows may pass their place in the stream.
reactor_queue::outcome reactor_queue::start(reactor_operation& one, direction which, bool speculative)
{
    const std::scoped_lock lock(mutex_);
    if (closed_) return outcome::closed;
    const bool is_first = of(which).empty();
    const bool may_try  = speculative && (which != direction::read || of(direction::except).empty());
    if (is_first && may_try && one.perform() == reactor_operation::done) return outcome::performed;
    of(which).push_back(one);
    return is_first && !may_try ? outcome::queued_first : outcome::queued;
}

void reactor_queue::observe(reactor_operation& observer)
{
    const std::scoped_lock lock(mutex_);
    of(direction::read).push_back(observer);
}

void reactor_queue::perform(std::uint32_t events, list& done)
{
    const std::scoped_lock lock(mutex_);
    for (const direction which : {direction::except, direction::write, direction::read}) {
        if ((events & events_of(which)) == 0) continue;
        list& waiting = of(which);
        while (!waiting.empty() && static_cast<reactor_operation&>(waiting.front()).perform() == reactor_operation::done)
            done.splice(done.end(), waiting, waiting.begin());
    }
}

void reactor_queue::take_all(list& taken) noexcept
{
    const std::scoped_lock lock(mutex_);
    for (list& waiting : waiting_)
        taken.splice(taken.end(), waiting);
}

void reactor_queue::take_by_key(direction which, const void* key, list& taken) noexcept
{
    const std::scoped_lock lock(mutex_);
    list& waiting = of(which);
    for (auto one = waiting.begin(); one != waiting.end();) {
        const auto found = one++;
        if (static_cast<reactor_operation&>(*found).cancellation_key_ == key) taken.splice(taken.end(), waiting, found);
    }
}

void reactor_queue::close(list& taken) noexcept
{
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    for (list& waiting : waiting_)
        taken.splice(taken.end(), waiting);
}

void reactor_queue::begin_in_child() noexcept { std::construct_at(&mutex_); }

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
