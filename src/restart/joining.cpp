// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The beginning of a generation: its first steps until it is the first one, or the successor of another.
#include "base/epoll.hpp"
#include "base/failure_note.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "restart/generation_impl.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::note_failure;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;

namespace {

constexpr int retry_after_ms = 2;

// The next message; an error if none comes in time, or the other side has ended (`connection_aborted`).
arrived_message next_message(conversation& talk, time_point limit, error_code& ec)
{
    ec.clear();
    arrived_message got;
    for (;;) {
        const arrival what = talk.receive(got);
        if (what == arrival::message) return got;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - clock::now());
        if (what == arrival::end)
            ec = boost::system::errc::make_error_code(boost::system::errc::connection_aborted);
        else if (left.count() <= 0)
            ec = errc::generation_silent;
        if (ec) return {};
        pollfd ready{talk.native_handle(), POLLIN, 0};
        ::poll(&ready, 1, static_cast<int>(std::min<std::chrono::milliseconds::rep>(left.count(), 60'000)));
    }
}

} // namespace

bool generation_impl::receive_listeners(conversation& talk, std::uint64_t count, time_point limit, error_code& ec)
{
    for (; count > 0; --count) {
        arrived_message got = next_message(talk, limit, ec);
        if (ec) return false;
        if (got.content.is == wire::verdict::skipped) {
            ++count;
            continue;
        }
        if (got.lacks_descriptors) {
            ec = {EMFILE, boost::system::system_category()};
            return false;
        }
        if (got.content.is != wire::verdict::good || got.content.text.what != wire::kind::listener || !got.complete()) {
            ec = got.content.is == wire::verdict::not_understood ? errc::other_restart_protocol : errc::bad_restart_message;
            return false;
        }
        home_.listeners.add({got.content.text.name, std::move(got.content.text.bytes), std::move(got.descriptors[0]), false});
    }
    return true;
}

generation_impl::greeting generation_impl::greet(unique_fd connection, time_point limit, error_code& ec)
{
    error_code ignored;
    const pid_t pid         = home_.place.check_peer(connection.get(), ignored);
    const std::string other = "service \"" + home_.name + "\" (pid " + std::to_string(pid) + " serves it)";
    conversation talk(std::move(connection));
    wire::message hello;
    hello.what    = wire::kind::hello;
    hello.oldest  = wire::oldest_protocol;
    hello.newest  = wire::newest_protocol;
    hello.pid     = static_cast<std::uint64_t>(::getpid());
    hello.library = library_version();
    hello.layout  = segment_layout();
    (void)talk.send_now(hello); // if it fails, a refusal may have come before, and else the end
    const auto failure = [&](const std::string& text) {
        if (ec == boost::system::errc::connection_aborted && ec != errc::successor_lost) return ec.clear(), greeting::gone;
        note_failure(ec, "join", AT_FDCWD, (other + text).c_str());
        return greeting::failed;
    };
    arrived_message got = next_message(talk, limit, ec);
    if (ec) return failure("");
    wire::message& said = got.content.text;
    if (got.content.is == wire::verdict::good && said.what == wire::kind::refused) {
        const auto why = static_cast<wire::refusal>(said.number);
        ec             = why == wire::refusal::under_way  ? errc::upgrade_under_way
                         : why == wire::refusal::protocol ? errc::other_restart_protocol
                                                          : errc::upgrade_refused;
        failure(": " + said.text);
        return why == wire::refusal::under_way   ? greeting::busy
               : why == wire::refusal::not_ready ? greeting::not_ready
                                                 : greeting::failed;
    }
    if (got.content.is == wire::verdict::not_understood)
        ec = errc::other_restart_protocol;
    else if (got.lacks_descriptors)
        ec = {EMFILE, boost::system::system_category()};
    else if (got.content.is != wire::verdict::good || said.what != wire::kind::welcome || !got.complete())
        ec = errc::bad_restart_message;
    if (ec) return failure("");
    home_.number      = said.number;
    home_.predecessor = {static_cast<std::int32_t>(said.pid), said.number - 1, said.library,
                         static_cast<std::uint32_t>(said.layout), static_cast<std::uint32_t>(said.newest)};
    if (!receive_listeners(talk, said.count, limit, ec)) {
        home_.listeners = {};
        if (ec == boost::system::errc::too_many_files_open) {
            wire::message leaving;
            leaving.what = wire::kind::leaving;
            leaving.text = "no room for descriptors: raise RLIMIT_NOFILE of the successor";
            (void)talk.send_now(leaving);
        }
        return failure("");
    }
    predecessor_.emplace(home_, std::move(talk), std::move(got.descriptors[0]));
    is_successor_ = true;
    return greeting::joined;
}

void generation_impl::join(error_code& ec)
{
    passed_ = systemd::passed_descriptors::receive(ec);
    if (ec) return;
    epoll_ = new_fd::epoll();
    if (!epoll_) ec = last_error(sys<"epoll_create1">);
    if (!ec) timer_ = new_fd::timer();
    if (!ec && !timer_) ec = last_error(sys<"timerfd_create">);
    if (!ec && !sharedsock::detail::add_to_epoll(epoll_.get(), timer_.get(), EPOLLIN)) ec = last_error(sys<"epoll_ctl">);
    const auto patience    = std::chrono::duration_cast<clock::duration>(home_.how.patience);
    const time_point start = clock::now();
    const time_point limit = patience > time_point::max() - start ? time_point::max() : start + patience;
    for (error_code last = errc::generation_silent; !ec;) {
        home_.place = service_place::open(home_.name, home_.how, ec);
        if (ec) return;
        if (home_.place) home_.lock = home_.place.try_lock(ec);
        if (ec) return;
        if (home_.lock) {
            home_.listener = home_.place.bind(ec);
            serves_        = !ec;
            break;
        }
        unique_fd connection;
        if (home_.place) connection = home_.place.connect(ec);
        if (connection) {
            switch (greet(std::move(connection), limit, ec)) {
            case greeting::joined:
                watch_all();
                return;
            case greeting::failed:
                return;
            case greeting::busy:
                if (!home_.how.wait_for_upgrade) return;
                last = std::exchange(ec, {});
                break;
            case greeting::not_ready:
                last = std::exchange(ec, {});
                break;
            case greeting::gone:
                break;
            }
        }
        if (!ec && clock::now() >= limit) {
            ec = last;
            note_failure(ec, "join", AT_FDCWD, ("service \"" + home_.name + "\" in " + home_.place.path()).c_str());
        }
        if (!ec) ::poll(nullptr, 0, retry_after_ms); // the process that has the lock is between two steps, or ends just now
    }
    watch_all();
}

} // namespace sharedsock::restart::detail
