// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A worker's moves with registrations: it takes over, gives up, stands by, passes on, and learns what the others did.
#include "fault/harness/storm_worker.hpp"
#include "tables/socket_table.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <utility>

#include <sys/epoll.h>

namespace test::storm {

using namespace std::chrono_literals;

void worker::believe(std::uint32_t i, std::uint32_t epoch)
{
    holds_[i].epoch      = epoch;
    ghost_.mine[me()][i] = epoch;
}

void worker::watch(std::uint32_t i)
{
    epoll_event event{};
    event.events   = EPOLLIN | EPOLLET;
    event.data.u32 = i;
    const int fd   = theatre_.places[i].ends[0].get();
    if (::epoll_ctl(epoll_.get(), holds_[i].watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
    holds_[i].watched = true;
}

void worker::forget(std::uint32_t i)
{
    if (std::exchange(holds_[i].watched, false)) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, theatre_.places[i].ends[0].get(), nullptr);
    }
}

void worker::look(std::uint32_t i)
{
    hold& here                  = holds_[i];
    const registration_word now = word(i);
    const bool own              = now.owner == me();
    if (own && now.epoch != here.epoch) { // this worker was the first in the queue
        if (here.epoch != 0) {
            ghost_.told.fetch_add(1);
        }
        socket_table::take_turn(member_->bytes(), here.handle.index);
        here.stands_by = false;
        ghost_.successions.fetch_add(1);
        believe(i, now.epoch);
        watch(i);
    } else if (own) {
        watch(i);
    } else if (here.epoch != 0) {
        believe(i, 0);
        forget(i);
        ghost_.told.fetch_add(1);
    }
}

void worker::take_over(std::uint32_t i)
{
    if (holds_[i].stands_by) {
        stand_down(i);
        return;
    }
    if (holds_[i].epoch != 0 && !word(i).owned_by(me(), holds_[i].epoch)) {
        ghost_.told.fetch_add(1); // the notice that is due is this one
    }
    const auto result = member_->take_over(which(i), read_event, 1);
    believe(i, result.epoch);
    watch(i);
    ghost_.take_overs.fetch_add(1);
    auto state = membership::fence_state::ended;
    if (result.must_fence) {
        state = member_->fence(theatre_.places[i].socket, result.epoch, any(2) == 0 ? 0ms : 3ms, false);
    }
    if (state == membership::fence_state::ended) {
        std::uint32_t latest = ghost_.fenced_epoch[i];
        while (later_epoch(result.epoch, latest) && !ghost_.fenced_epoch[i].compare_exchange_strong(latest, result.epoch)) {
        }
        ghost_.fenced.fetch_add(1);
    } else if (state == membership::fence_state::pending) {
        ghost_.pending.fetch_add(1);
    }
}

void worker::cancel(std::uint32_t i)
{
    if (holds_[i].epoch == 0) {
        return;
    }
    member_->cancel(theatre_.places[i].socket, holds_[i].epoch);
    believe(i, 0);
    forget(i);
    look(i); // the registration may have come back to this worker
}

void worker::stand_by(std::uint32_t i)
{
    if (holds_[i].epoch != 0 || holds_[i].stands_by) {
        return;
    }
    error_code ec;
    member_->stand_by(which(i), read_event, ec);
    if (had(ec)) {
        holds_[i].stands_by = true;
        look(i);
    }
}

void worker::stand_down(std::uint32_t i)
{
    error_code ec;
    member_->stand_down(which(i), membership::turn_that_came::kept, ec);
    if (had(ec)) {
        holds_[i].stands_by = false;
        look(i); // this worker's turn may have come just before
    }
}

void worker::pass_on(std::uint32_t i)
{
    if (holds_[i].epoch == 0) {
        return;
    }
    error_code ec;
    if (member_->pass_on(which(i), holds_[i].epoch, ec)) {
        ghost_.passed_on.fetch_add(1);
        believe(i, 0);
        forget(i);
        holds_[i].stands_by = true;
    }
    had(ec);
    look(i);
}

} // namespace test::storm
