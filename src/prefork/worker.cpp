// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/new_fd.hpp"
#include "prefork/crew.hpp"
#include "prefork/worker_link.hpp"

#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace sharedsock::prefork {

using detail::unique_fd;

namespace {

using sharedsock::detail::or_throw;
namespace new_fd = sharedsock::detail::new_fd;

// Takes the descriptor over; programs that this process executes do not get it. Empty if there is no such descriptor.
unique_fd taken(int descriptor) noexcept
{
    return new_fd::received(::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? descriptor : -1);
}

bool is_channel(int descriptor) noexcept
{
    int type       = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

} // namespace

worker worker::inherit(error_code& ec)
{
    ec.clear();
    const char* const told = std::getenv(detail::worker_variable);
    int link = -1, parent = -1, loads = -1, signal = 0;
    detail::worker_gift gift;
    int takes_signals     = 0;
    std::int64_t watchdog = for_ever.count();
    const bool is_told    = told != nullptr && std::sscanf(told, "%d %d %d %zu %" SCNu32 " %d %d %" SCNd64, &link, &parent, &loads,
                                                           &gift.place, &gift.generation, &signal, &takes_signals, &watchdog) >= 6;
    if (!is_told || gift.place >= most_workers || !is_channel(link)) {
        ec = errc::not_a_worker;
        return worker(nullptr);
    }
    ::unsetenv(detail::worker_variable);
    gift.signals_are_requests = takes_signals != 0;
    gift.watchdog             = std::chrono::nanoseconds(watchdog);
    gift.link                 = detail::channel(taken(link));
    gift.parent               = taken(parent);
    gift.loads                = detail::load_table::open(taken(loads), ec);
    if (signal != 0 && !ec) detail::die_with_parent(signal, gift.parent.get(), ec);
    if (ec) return worker(nullptr);
    auto made = std::make_shared<detail::worker_link>(std::move(gift));
    made->open(ec);
    return worker(ec ? nullptr : std::move(made));
}

worker worker::inherit()
{
    return or_throw("sharedsock::prefork::worker::inherit", [&](error_code& ec) { return inherit(ec); });
}

worker::worker(std::shared_ptr<detail::worker_link> link) noexcept : link_(std::move(link)) {}
worker::worker(worker&&) noexcept            = default;
worker& worker::operator=(worker&&) noexcept = default;
worker::~worker()                            = default;

std::size_t worker::place() const noexcept { return link_->place(); }
std::uint32_t worker::generation() const noexcept { return link_->generation(); }

void worker::ready(error_code& ec) { link_->say_ready(ec); }
void worker::ready()
{
    or_throw("sharedsock::prefork::worker::ready", [&](error_code& ec) { ready(ec); });
}

void worker::retire(error_code& ec) { link_->retire(ec); }
void worker::retire()
{
    or_throw("sharedsock::prefork::worker::retire", [&](error_code& ec) { retire(ec); });
}

std::uint64_t worker::jitter(std::uint64_t most) const noexcept { return detail::jitter_of(place(), generation(), most); }

void worker::beat() noexcept { link_->beat(); }
std::function<void()> worker::beater() const
{
    return [link = link_] { link->beat(); };
}
std::chrono::nanoseconds worker::beat_interval() const noexcept
{
    return link_->watchdog() == for_ever ? for_ever : link_->watchdog() / detail::looks;
}

bool worker::draining() { return link_->look(); }
bool worker::parent_gone() const noexcept { return link_->parent_gone(); }
int worker::native_handle() const noexcept { return link_->native_handle(); }

void worker::wait_for_drain()
{
    while (!draining())
        link_->wait();
}

void worker::set_load(std::uint32_t load) noexcept { link_->set_load(load); }

void worker::appear_in(const segment& where, error_code& ec) { link_->appear_in(where, ec); }
void worker::appear_in(const segment& where)
{
    or_throw("sharedsock::prefork::worker::appear_in", [&](error_code& ec) { appear_in(where, ec); });
}

} // namespace sharedsock::prefork
