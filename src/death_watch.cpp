// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "death_watch.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sharedsock::detail {

void death_watch::open(error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    if (epoll_) return;
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) ec.assign(errno, boost::system::system_category());
}

void death_watch::watch_holders(membership& self, std::uint32_t socket)
{
    const std::uint32_t count = self.bytes().capacity.processes;
    const std::uint32_t own = self.self().index;
    std::set<std::uint32_t> distances; // from the own index, round the table
    handle_table::for_each(self.bytes(), socket, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        if (life.state == handle_state::held && life.process != own && life.process < count) distances.insert((life.process + count - own) % count);
        return true;
    });
    std::size_t watched = 0;
    for (const std::uint32_t distance : distances) {
        if (watched++ == limit) break;
        const std::uint32_t index = (own + distance) % count;
        watch(self, {index, load(*self.bytes().process(index)).generation});
    }
}

void death_watch::watch(membership& self, process_id who)
{
    bool dead = false;
    {
        const std::scoped_lock lock(mutex_);
        if (!epoll_ || watched_.contains(who)) return;
        const process_record& record = *self.bytes().process(who.index);
        unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, record.pid.load(), 0)));
        // The pid may be of another namespace, or used again: it is the right process if its byte is held now.
        dead = !self.alive(who);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLONESHOT;
        event.data.u64 = std::uint64_t{who.generation} << 32 | who.index;
        if (!dead && pidfd && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) == 0) watched_.emplace(who, std::move(pidfd));
    }
    if (dead) self.sweep_if_dead(who.index);
}

void death_watch::answer(membership& self) noexcept
{
    epoll_event events[16];
    for (int more = 16; more == 16;) {
        {
            const std::scoped_lock lock(mutex_);
            more = epoll_ ? ::epoll_wait(epoll_.get(), events, 16, 0) : 0;
            for (int i = 0; i < more; ++i)
                watched_.erase({static_cast<std::uint32_t>(events[i].data.u64), static_cast<std::uint32_t>(events[i].data.u64 >> 32)});
        }
        for (int i = 0; i < more; ++i) self.sweep_if_dead(static_cast<std::uint32_t>(events[i].data.u64));
    }
}

void death_watch::abandon() noexcept
{
    watched_.clear();
    epoll_.reset();
}

} // namespace sharedsock::detail
