// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/generation_impl.hpp"

#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/sealed_memory.hpp"
#include "base/syscall.hpp"
#include "layout/layout.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::restart::detail {

namespace new_fd        = sharedsock::detail::new_fd;
namespace sealed_memory = sharedsock::detail::sealed_memory;

#ifndef SHAREDSOCK_VERSION
#define SHAREDSOCK_VERSION "of an unknown version" // by another build than the project's
#endif
std::string library_version() { return SHAREDSOCK_VERSION; }
std::uint32_t segment_layout() noexcept { return sharedsock::detail::layout_version; }

generation_impl::generation_impl(std::string_view name, const options& how)
{
    home_.name = name;
    home_.how  = how;
    join_fork_registry(sharedsock::detail::event_poller_locks); // it has no lock of its own
    made_in_ = sharedsock::detail::process_instance();
}

generation_impl::~generation_impl()
{
    leave_fork_registry();
    if (made_in_ != sharedsock::detail::process_instance()) return;
    if (predecessor_ && !serves_ && !ended_) predecessor_->leave("its program has ended");
    const bool other_has_lock = successor_ && successor_->was_let_in();
    if (serves_ && !other_has_lock) home_.place.remove();
}

bool generation_impl::is_ours(error_code& ec) const noexcept
{
    ec = ended_ || made_in_ != sharedsock::detail::process_instance() ? make_error_code(errc::generation_ended) : error_code();
    return !ec;
}

// A child that kept these open would keep the lock of a dead parent, and hide the parent's end from its successor.
bool generation_impl::after_fork_in_child(sharedsock::detail::graveyard&) noexcept
{
    home_.lock.reset();
    home_.listener.reset();
    home_.place.close();
    if (predecessor_) predecessor_->close();
    if (successor_) successor_->close();
    epoll_.reset();
    timer_.reset();
    ended_ = true;
    return false;
}

void generation_impl::ready(error_code& ec)
{
    if (!is_ours(ec) || std::exchange(ready_, true)) return;
    if (predecessor_ && !serves_) predecessor_->ready();
    watch_all();
}

std::optional<event> generation_impl::poll(error_code& ec)
{
    if (made_in_ != sharedsock::detail::process_instance()) home_.events.clear(); // a child's copy: they are its parent's
    if (home_.events.empty()) {
        if (!is_ours(ec)) return {};
        std::uint64_t expirations = 0;
        (void)!::read(timer_.get(), &expirations, sizeof expirations);
        work(clock::now());
    }
    std::optional<event> next = next_event(ec);
    watch_all();
    return next;
}

// A long carry is read here. If there is no memory for it, the event stays.
std::optional<event> generation_impl::next_event(error_code& ec)
{
    ec.clear();
    if (home_.events.empty()) return {};
    pending_event& first = home_.events.front();
    if (first.memory) {
        std::vector<std::byte> bytes(first.one.size);
        sealed_memory::read(first.memory.get(), 0, bytes, ec);
        if (ec) return {};
        first.one.connection.bytes = std::move(bytes);
    }
    std::optional<event> next(std::move(first.one));
    home_.events.pop_front();
    return next;
}

void generation_impl::work(time_point now)
{
    if (predecessor_ && !serves_) {
        switch (predecessor_->work(now)) {
        case predecessor_link::outcome::goes_on:
            return;
        case predecessor_link::outcome::serving:
            serves_    = true;
            unclaimed_ = home_.listeners.unclaimed();
            home_.listeners.drop_unclaimed();
            break;
        case predecessor_link::outcome::dismissed:
            end();
            return;
        }
    }
    do {
        if (!successor_) continue;
        const auto outcome = successor_->work(now);
        if (outcome != successor_link::outcome::goes_on) successor_.reset();
        if (outcome == successor_link::outcome::replaced) return end();
    } while (home_.events.empty() && lets_in() && let_in(now));
}

// A process that comes while the successor may serve already is left for it, or for this generation if it does not.
bool generation_impl::lets_in() const noexcept { return serves_ && !(successor_ && successor_->may_serve()); }

// Several processes may wait at the socket of the service. True: one of them is the successor now, and may have sent something.
bool generation_impl::let_in(time_point now)
{
    for (bool is_new = false;;) {
        unique_fd connection = new_fd::accept(home_.listener.get(), nullptr, nullptr, SOCK_NONBLOCK);
        if (!connection) return is_new;
        error_code stranger;
        const pid_t pid = home_.place.check_peer(connection.get(), stranger);
        if (stranger) continue;
        if (ready_ && !successor_) {
            home_.left.clear();
            successor_.emplace(home_, std::move(connection), pid, now);
            is_new = true;
            continue;
        }
        wire::message refused;
        refused.what   = wire::kind::refused;
        refused.number = static_cast<std::uint64_t>(ready_ ? wire::refusal::under_way : wire::refusal::not_ready);
        refused.pid    = static_cast<std::uint64_t>(::getpid());
        refused.text   = ready_ ? "process " + std::to_string(home_.successor.pid) + " is its successor already"
                                : std::string("it is not ready itself");
        (void)conversation(std::move(connection)).send_now(refused); // one that has gone needs no answer
    }
}

// The number closes in this process; the service is another's.
void generation_impl::end() noexcept
{
    ended_  = true;
    serves_ = false;
    home_.lock.reset();
    home_.listener.reset();
    home_.place.close();
    home_.listeners = {};
    predecessor_.reset();
    successor_.reset();
}

bool generation_impl::can_give(std::size_t bytes) const noexcept
{
    return successor_ && successor_->takes_gifts() && successor_->ledger().has_room(bytes);
}

std::uint64_t generation_impl::give(int number, const carry& with, error_code& ec, const std::function<int(error_code&)>& release)
{
    if (!is_ours(ec)) return 0;
    if (!successor_ || !successor_->takes_gifts()) {
        ec = errc::no_successor;
    } else if (with.bytes.size() > max_carry) {
        ec = errc::carry_too_large;
    } else if (!successor_->ledger().has_room(with.bytes.size())) {
        ec = boost::system::errc::make_error_code(boost::system::errc::operation_would_block);
    } else if (number < 0) {
        ec = {EBADF, boost::system::system_category()};
    }
    if (ec) return 0;
    gift_entry one;
    one.tag   = with.tag;
    one.size  = with.bytes.size();
    one.since = clock::now();
    if (one.size > wire::carry_in_message)
        one.memory = sealed_memory::make("sharedsock-carry", {&with.bytes, 1}, ec);
    else
        one.bytes.assign(with.bytes.begin(), with.bytes.end());
    if (ec) return 0;
    const std::uint64_t gift = successor_->give(std::move(one), number, release, ec);
    watch_all();
    return gift;
}

void generation_impl::finish(error_code& ec)
{
    if (!is_ours(ec)) return;
    if (!successor_ || !successor_->takes_gifts()) {
        ec = errc::no_successor;
        return;
    }
    successor_->finish(clock::now());
    watch_all();
}

void generation_impl::dismiss(std::string_view reason, error_code& ec)
{
    if (!is_ours(ec)) return;
    if (!successor_) {
        ec = errc::no_successor;
        return;
    }
    const auto outcome = successor_->dismiss(reason);
    successor_.reset();
    if (outcome == successor_link::outcome::replaced) end(); // it was faster
    watch_all();
}

connection generation_impl::take(std::uint64_t gift, error_code& ec)
{
    if (!is_ours(ec)) {
        if (ended_) ec = errc::upgrade_dismissed;
        return {};
    }
    ec = errc::no_such_gift;
    if (!predecessor_) return {};
    connection taken = predecessor_->take(gift, ec);
    watch_all();
    return taken;
}

void generation_impl::decline(std::uint64_t gift, std::string_view reason, error_code& ec)
{
    if (!is_ours(ec)) {
        if (ended_ && is_successor_) ec.clear(); // dismissed: it is the predecessor's already
        return;
    }
    ec = errc::no_such_gift;
    if (predecessor_) predecessor_->decline(gift, reason, ec);
    watch_all();
}

void generation_impl::watch(int number, std::uint32_t wanted) noexcept
{
    if (number < 0) return;
    const bool is_there = sharedsock::detail::change_in_epoll(epoll_.get(), number, wanted);
    // The epoll's own end of memory: then the timer wakes the program.
    if (!is_there && errno == ENOENT) (void)sharedsock::detail::add_to_epoll(epoll_.get(), number, wanted);
}

// Sets what wakes the program's loop next.
void generation_impl::watch_all() noexcept
{
    if (!epoll_) return;
    time_point next = time_point::max();
    if (predecessor_ && !serves_) {
        watch(predecessor_->native_handle(), EPOLLIN | (predecessor_->waits_to_send() ? std::uint32_t{EPOLLOUT} : 0u));
        next = std::min(next, predecessor_->deadline());
    }
    if (successor_) {
        watch(successor_->native_handle(), EPOLLIN | (successor_->waits_to_send() ? std::uint32_t{EPOLLOUT} : 0u));
        next = std::min(next, successor_->deadline());
    }
    if (serves_) watch(home_.listener.get(), lets_in() ? std::uint32_t{EPOLLIN} : 0u);
    if (!home_.events.empty()) next = time_point(clock::duration(1));
    itimerspec when{};
    if (next != time_point::max()) {
        const auto since_boot = std::max(next.time_since_epoch(), clock::duration(1)); // zero would switch the timer off
        const auto seconds    = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
        when.it_value.tv_sec  = static_cast<time_t>(seconds.count());
        when.it_value.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

} // namespace sharedsock::restart::detail
