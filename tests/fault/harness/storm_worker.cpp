// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The life of a worker: it attaches, sleeps until it is rung or an event comes, and does something at random.
#include "fault/harness/storm_worker.hpp"

#include <chrono>
#include <iterator>

#include <sys/epoll.h>

namespace test::storm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t bell_mark = ~std::uint64_t{0};

} // namespace

worker::worker(theatre& where, std::uint32_t seed)
    : theatre_(where), ghost_(where.ghost), random_(seed), member_(where.segment, 30ms), epoll_(::epoll_create1(EPOLL_CLOEXEC))
{}

void worker::work()
{
    start();
    bool settled = false;
    for (;;) {
        const bool quiet = ghost_.quiet.load();
        if (quiet && !settled) {
            ghost_.idle.fetch_add(1);
        }
        settled = quiet;
        epoll_event events[16];
        const int count = ::epoll_wait(epoll_.get(), events, 16, quiet ? -1 : static_cast<int>(any(2)));
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == bell_mark) {
                answer_bell();
            } else {
                deliver(events[i].data.u32, quiet);
            }
        }
        if (!quiet) {
            act(any(sockets));
        }
    }
}

void worker::start()
{
    error_code ec;
    do { // a process that is stopped with a lock delays it
        member_->attach(ec);
    } while (ec == errc::lock_timeout);
    if (!ec) {
        member_.bells.hang(me(), ec);
    }
    if (ec) {
        throw boost::system::system_error(ec, "attach");
    }
    for (auto& epoch : ghost_.mine[me()]) {
        epoch = 0;
    }
    ghost_.post[me()] = 0;
    member_->sweep_dead();
    epoll_event bell{};
    bell.events   = EPOLLIN;
    bell.data.u64 = bell_mark;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, member_.bells.native_handle(), &bell);
}

void worker::answer_bell()
{
    std::uint32_t ids[256];
    std::array<bool, sockets> rang{};
    std::size_t count = 0;
    bool all          = member_->bytes().process(me())->resync.exchange(0) != 0;
    do {
        count = member_.bells.answer(ids);
        for (std::size_t id = 0; id < count; ++id) {
            if (ids[id] < sockets) {
                rang[ids[id]] = true;
            }
        }
    } while (count == std::size(ids));
    all = member_->bytes().process(me())->resync.exchange(0) != 0 || all;
    for (std::uint32_t i = 0; i < sockets; ++i) {
        if (all || rang[i]) {
            look(i);
        }
    }
}

void worker::act(std::uint32_t i)
{
    take_ticket();
    if (any(64) == 0) {
        member_->sweep_dead();
    }
    if (!holds_[i].handle) {
        open(i);
        return;
    }
    switch (any(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        return take_over(i);
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        return read_without_owning(i);
    case 9:
        return any(4) == 0 ? close(i) : close_redeemed();
    case 10:
        return stand_by(i);
    case 11:
        return pass_on(i);
    case 12:
        return any(4) == 0 ? cancel(i) : void();
    case 13:
        return send_ticket(i);
    default:
        return;
    }
}

bool worker::had(const error_code& ec)
{
    if (ec == errc::lock_timeout) {
        ghost_.lock_timeouts.fetch_add(1);
    } else if (ec && ec != errc::not_the_owner && ec != errc::target_gone && ec != errc::closed_handle) {
        throw boost::system::system_error(ec, "worker");
    }
    return !ec;
}

} // namespace test::storm
