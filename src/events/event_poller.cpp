// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/event_poller.hpp"

#include "base/denied.hpp"
#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "events/local_registration.hpp"
#include "events/sinks.hpp"

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

// The number in an epoll entry: one of these, or the id of a local registration. Ids are never used again, so an event of a local
// registration that is gone matches none.
constexpr std::uint64_t flag_entry   = 0;
constexpr std::uint64_t bell_entry   = 1;
constexpr std::uint64_t change_entry = 2;

constexpr int batch = 64;

unique_fd checked(unique_fd descriptor, const call_category& call)
{
    if (!descriptor) throw system_error(last_error(call), "sharedsock::event_object");
    return descriptor;
}

} // namespace

event_poller::event_poller()
{
    make_kernel_objects();
    join_fork_registry(event_poller_locks);
    instance_ = process_instance(); // if this is a child of a raw clone(2), joining the registry has given it a new number
}

event_poller::~event_poller()
{
    leave_fork_registry();
    // Always: this may be the only sign that other code has closed one of the descriptors.
    if (!epoll_ || prove_entry(epoll_, flag_, EPOLLIN, flag_entry)) return;
    (void)epoll_.release();
    (void)flag_.release();
}

bool event_poller::look_whether_ours() noexcept
{
    const std::uint32_t now = descriptor_claims::doubts();
    if (!lost_ && !has_entry(epoll_, flag_, EPOLLIN, flag_entry)) lost_ = true;
    doubts_.store(now, std::memory_order_release);
    return !lost_;
}

void event_poller::make_kernel_objects()
{
    epoll_ = checked(new_fd::epoll(), sys<"epoll_create1">);
    flag_  = checked(new_fd::event(), sys<"eventfd2">);
    if (!add_to_epoll(epoll_.get(), flag_.get(), EPOLLIN, flag_entry))
        throw system_error(last_error(sys<"epoll_ctl">), "sharedsock::event_object");
}

void event_poller::enlist(const std::shared_ptr<local_registration>& one)
{
    std::size_t count = 0;
    {
        const std::scoped_lock lock(mutex_);
        registrations_.emplace(one->id(), one);
        count = registrations_.size();
    }
    const std::scoped_lock lock(flag_mutex_);
    uncollected_.reserve(count); // `signal_for` runs in the middle of a delivery, where nothing may fail
}

void event_poller::dismiss(local_registration& one) noexcept
{
    decltype(registrations_)::node_type gone; // destroyed without the mutexes: a handler of the user's may be destroyed with it
    {
        const std::scoped_lock lock(flag_mutex_);
        if (one.listed_as_uncollected) std::erase(uncollected_, &one);
        one.listed_as_uncollected = false;
    }
    const std::scoped_lock lock(mutex_);
    gone = registrations_.extract(one.id());
}

std::shared_ptr<descriptor_watch> event_poller::replace(std::shared_ptr<descriptor_watch>& kept,
                                                        std::shared_ptr<descriptor_watch> made)
{
    const std::scoped_lock lock(mutex_);
    kept.swap(made);
    return made;
}

std::vector<std::shared_ptr<local_registration>> event_poller::registrations()
{
    std::vector<std::shared_ptr<local_registration>> all;
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, one] : registrations_)
        all.push_back(one);
    return all;
}

void event_poller::watch(const local_registration& one, int descriptor, std::uint32_t events, error_code& ec)
{
    ec.clear();
    if (!is_ours())
        ec = errc::identity_lost;
    else if (!add_to_epoll(epoll_.get(), descriptor, events, one.id()) &&
             (errno != EEXIST || !change_in_epoll(epoll_.get(), descriptor, events, one.id())))
        ec = last_error(sys<"epoll_ctl">);
}

void event_poller::watch_instead(const local_registration& one, int descriptor, std::uint32_t events, error_code& ec)
{
    ec.clear();
    if (!is_ours())
        ec = errc::identity_lost;
    else if (!change_in_epoll(epoll_.get(), descriptor, events, one.id()) &&
             (errno != ENOENT || !add_to_epoll(epoll_.get(), descriptor, events, one.id())))
        ec = last_error(sys<"epoll_ctl">);
}

void event_poller::forget(const local_registration&, int descriptor) noexcept
{
    if (is_own() && is_ours()) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void event_poller::listen_to(const std::shared_ptr<attachment>& where, error_code& ec)
{
    ec.clear();
    if (!is_ours())
        ec = errc::identity_lost;
    else if (listens_to_.load(std::memory_order_acquire) == where->number()) // the usual case
        return;
    else
        where->hang_bell(ec);
    if (ec) return;
    const std::scoped_lock lock(mutex_);
    // Compare without taking a reference: it might become the last one to an attachment that another thread drops.
    for (const auto& known : bells_)
        if (!known.owner_before(where) && !where.owner_before(known)) {
            listens_to_.store(where->number(), std::memory_order_release);
            return;
        }
    for (const int descriptor : {where->bells().native_handle(), where->deaths().native_handle()}) {
        if (!add_to_epoll(epoll_.get(), descriptor, EPOLLIN, bell_entry) && errno != EEXIST) {
            ec = last_error(sys<"epoll_ctl">);
            return;
        }
    }
    std::erase_if(bells_, [](const auto& known) { return known.expired(); });
    bells_.push_back(where);
    listens_to_.store(where->number(), std::memory_order_release);
}

void event_poller::listen_for_changes(error_code& ec)
{
    const std::scoped_lock lock(mutex_);
    if (!is_ours())
        ec = errc::identity_lost;
    else
        changes_.open(ec);
    if (ec) return;
    if (add_to_epoll(epoll_.get(), changes_.native_handle(), EPOLLIN, change_entry) || errno == EEXIST) return;
    ec = last_error(sys<"epoll_ctl">);
    changes_.close();
}

error_code event_poller::pump()
{
    if (!is_own() || !is_ours()) return {}; // a raw clone(2)'s child would take edges from its parent
    epoll_event events[batch];
    for (int count = batch; count == batch;) {
        std::vector<std::pair<std::shared_ptr<local_registration>, std::uint32_t>> edges;
        std::vector<std::shared_ptr<attachment>> rung;
        std::vector<std::shared_ptr<local_registration>> concerned; // those that nominate changes of the network
        network_changes changes;
        edges.reserve(batch); // epoll shows an edge once: make room for it before
        {
            const std::scoped_lock lock(mutex_);
            rung.reserve(bells_.size());
            if (changes_.native_handle() >= 0) concerned.reserve(registrations_.size());
            count = ::epoll_wait(epoll_.get(), events, batch, 0);
            if (const error_code ec = if_denied(sys<"epoll_wait">, count)) return ec;
            bool bell = false;
            for (int i = 0; i < count; ++i) {
                const std::uint64_t id    = events[i].data.u64; // copies: an epoll_event is packed, its members misaligned
                const std::uint32_t shown = events[i].events;
                bell                      = bell || id == bell_entry;
                if (id == change_entry) changes = changes_.hear();
                if (const auto found = registrations_.find(id); found != registrations_.end())
                    edges.emplace_back(found->second, shown);
            }
            if (bell)
                for (const auto& known : bells_)
                    if (auto where = known.lock()) rung.push_back(std::move(where));
            if (changes.any())
                for (const auto& [id, one] : registrations_)
                    if ((one->mask() & ev_changes) != 0) concerned.push_back(one);
        }
        for (const auto& where : rung)
            where->answer_bell(); // first: it may show that another process owns the events of an edge by now
        for (const auto& [one, shown] : edges)
            one->on_edge(shown);
        for (const auto& one : concerned)
            one->on_change(changes);
    }
    return {};
}

void event_poller::set() noexcept
{
    const std::scoped_lock lock(flag_mutex_);
    raise();
}

void event_poller::reset() noexcept
{
    const std::scoped_lock lock(flag_mutex_);
    clear();
}

void event_poller::signal_for(local_registration& one) noexcept
{
    const std::scoped_lock lock(flag_mutex_);
    if (!one.listed_as_uncollected) uncollected_.push_back(&one); // there is room: see `enlist`
    one.listed_as_uncollected = true;
    raise();
}

// A local registration whose events were collected leaves the list here, once for each time that it was signalled for. So the
// cost does not grow with the number of sockets.
bool event_poller::something_waits() noexcept
{
    while (!uncollected_.empty() && !uncollected_.back()->has_uncollected()) {
        uncollected_.back()->listed_as_uncollected = false;
        uncollected_.pop_back();
    }
    return !uncollected_.empty();
}

void event_poller::raise() noexcept
{
    if (set_ || !is_own()) return;
    set_                    = true;
    const std::uint64_t one = 1;
    if (is_ours()) static_cast<void>(::write(flag_.get(), &one, sizeof one)); // the counter is zero: it cannot be full
}

void event_poller::clear() noexcept
{
    if (!set_ || !is_own()) return;
    set_ = false;
    ++resets_;
    std::uint64_t count = 0;
    if (is_ours()) static_cast<void>(::read(flag_.get(), &count, sizeof count)); // the counter is one
}

bool event_poller::is_set() const noexcept
{
    const std::scoped_lock lock(flag_mutex_);
    return set_;
}

std::uint64_t event_poller::resets() const noexcept
{
    const std::scoped_lock lock(flag_mutex_);
    return resets_;
}

// --- fork -------------------------------------------------------------------------------------------------------------

void event_poller::before_fork() noexcept
{
    mutex_.lock();
    flag_mutex_.lock();
    free_what_the_parent_had(); // if no call has come since the fork that made this process
}

void event_poller::after_fork_in_parent() noexcept
{
    flag_mutex_.unlock();
    mutex_.unlock();
}

bool event_poller::after_fork_in_child(graveyard& dead) noexcept
{
    instance_ = process_instance();
    uncollected_.clear(); // keeps its memory
    for (auto& [id, one] : registrations_)
        dead.bury(std::move(one));
    registrations_of_parent_.swap(registrations_);
    bells_of_parent_.swap(bells_);
    listens_to_.store(0);
    changes_.close();
    set_             = false;
    const bool alive = !weak_from_this().expired(); // else a thread of the parent was about to destroy it, or still made it
    if (!alive || !renew_kernel_objects()) {
        epoll_.reset(); // an object that nothing sets is better than one that takes the parent's edges
        flag_.reset();
    }
    flag_mutex_.unlock();
    mutex_.unlock();
    return alive;
}

void event_poller::free_inherited() noexcept
{
    const std::scoped_lock lock(mutex_);
    free_what_the_parent_had();
}

void event_poller::free_what_the_parent_had() noexcept
{
    registrations_of_parent_.clear();
    bells_of_parent_.clear();
}

// The child shares the parent's epoll and flag, so it must not take from or add to them. New ones take their places, the epoll
// under the same number, so that a loop which polls the object's descriptor goes on. The flag is closed first: no program knows
// its number, and that makes room in a full descriptor table.
bool event_poller::renew_kernel_objects() noexcept
{
    if (epoll_.doubtful()) prove_entry(epoll_, flag_, EPOLLIN, flag_entry); // a doubt of long ago; changes nothing in the parent's
    flag_.reset();
    unique_fd fresh = new_fd::epoll();
    if (!fresh || !new_fd::replace(fresh, epoll_)) return false;
    fresh.reset();
    flag_ = new_fd::event();
    return flag_ && add_to_epoll(epoll_.get(), flag_.get(), EPOLLIN, flag_entry);
}

} // namespace sharedsock::detail
