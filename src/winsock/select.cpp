// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// select, by poll(2).
#include "attach/handle.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "events/connection_state.hpp"
#include "winsock/arguments.hpp"
#include "winsock/closing_watch.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

namespace core = sharedsock::detail;

using detail::refusal;
using std::chrono::steady_clock;

// A SOCKET in one of the sets. The events that it asks poll(2) for tell which set it is.
struct member {
    SOCKET number;
    std::shared_ptr<shared_socket> socket;
    short asks;
};

constexpr short asks_read      = POLLIN;
constexpr short asks_write     = POLLOUT;
constexpr short asks_exception = POLLPRI;

// False, and the thread's last error set, if a member of the set is not a SOCKET.
bool add(const socket_set_ref& set, short asks, std::vector<member>& members)
{
    if (!set) return true;
    for (const SOCKET s : set.members()) {
        members.push_back({s, detail::find_socket(s), asks});
        if (members.back().socket == nullptr) return false;
    }
    return true;
}

enum class standing {
    unconnected,    // nothing can happen to it
    attempt_failed, // until the next attempt
    usual,          // the shown events count
};

// poll(2) shows a stream without a connection, one that was reset and a failed attempt alike; the kernel and the socket's slot know
// which it is (EVT-17).
standing standing_of(const shared_socket& socket, const pollfd& shown)
{
    if ((shown.revents & (POLLERR | POLLHUP)) == 0 || socket.impl() == nullptr || !socket.impl()->stream()) return standing::usual;
    core::socket_slot& slot = socket.impl()->slot();
    core::connection_state::of_shown(shown.fd, slot, shown.revents);
    const auto seen = core::connection_state::view(shown.fd, slot);
    if (seen.known ? !seen.closed() || seen.connected : core::connection_state::has_peer(shown.fd)) return standing::usual;
    const auto attempt = core::connect_word::decode(slot.connect_state.load());
    return attempt.phase == core::connect_phase::failed ? standing::attempt_failed : standing::unconnected;
}

bool urgent_is_inline(const shared_socket& socket)
{
    int on = 0;
    error_code failed;
    socket.get_option(SOL_SOCKET, SO_OOBINLINE, &on, sizeof on, failed);
    return !failed && on != 0;
}

bool ready(const member& one, const pollfd& shown)
{
    if (shown.revents == 0) return false;
    const standing now = standing_of(*one.socket, shown);
    if (one.asks == asks_exception)
        return now == standing::attempt_failed || ((shown.revents & POLLPRI) != 0 && !urgent_is_inline(*one.socket));
    return now == standing::usual && (shown.revents & (one.asks | POLLERR | POLLHUP | POLLNVAL)) != 0;
}

// Members whose shown events do not count, as an ended connection among the exceptions: poll(2) would wake for them again and
// again. An epoll set watches them meanwhile for the next change.
class passed_over {
public:
    int descriptor() const noexcept { return changes_.get(); }

    void add(pollfd& shown, error_code& ec)
    {
        if (!changes_) changes_ = core::new_fd::epoll();
        constexpr std::uint32_t any = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
        if (!changes_ || (!core::add_to_epoll(changes_.get(), shown.fd, any) && errno != EEXIST))
            ec = core::last_error(core::sys<"epoll_ctl">);
        shown.fd = -1;
    }

    // Some may have changed. Called before all are looked at again.
    void forget_changes() const noexcept
    {
        epoll_event some[16];
        while (::epoll_wait(changes_.get(), some, std::size(some), 0) > 0) {
        }
    }

private:
    core::unique_fd changes_;
};

// Waits until a member is ready, or the time is up. Then the places in `found` say which are.
class waiting {
public:
    explicit waiting(const std::vector<member>& members) : members_(members), found_(members.size()) { look_at_all(); }

    const std::vector<bool>& found() const noexcept { return found_; }

    void until(std::optional<steady_clock::time_point> limit, error_code& ec)
    {
        if (look(timespec{}, ec) || ec || (limit && *limit <= steady_clock::now())) return;
        const detail::closing_watch watch;
        closing_ = watch.descriptor();
        for (;;) {
            watch.forget();
            const bool open = std::ranges::all_of(members_, [](const member& one) { return one.socket->is_open(); });
            if (!open) ec = refusal(ENOTSOCK);
            if (ec || look(rest_of(limit), ec) || ec) return;
            if (limit && *limit <= steady_clock::now()) return;
        }
    }

private:
    static std::optional<timespec> rest_of(std::optional<steady_clock::time_point> limit)
    {
        if (!limit) return std::nullopt;
        const auto rest = std::max<std::chrono::nanoseconds>(*limit - steady_clock::now(), std::chrono::nanoseconds::zero());
        return timespec{rest.count() / 1'000'000'000, rest.count() % 1'000'000'000};
    }

    void look_at_all()
    {
        fds_.clear();
        for (const member& one : members_)
            fds_.push_back({one.socket->native_handle(), one.asks, 0});
    }

    // One poll(2); whether a member is ready.
    bool look(std::optional<timespec> limit, error_code& ec)
    {
        const std::size_t count = fds_.size();
        fds_.push_back({closing_, POLLIN, 0});
        fds_.push_back({passed_over_.descriptor(), POLLIN, 0});
        const int shown    = ::ppoll(fds_.data(), fds_.size(), limit ? &*limit : nullptr, nullptr);
        const bool changed = shown > 0 && fds_.back().revents != 0;
        const bool closed  = shown > 0 && fds_[count].revents != 0;
        fds_.resize(count);
        if (shown < 0 && errno != EINTR) ec = core::last_error(core::sys<"ppoll">);
        if (shown <= 0 || closed) return false; // a descriptor may be another file's by now
        bool any = false;
        for (std::size_t i = 0; i < count; ++i) {
            found_[i] = ready(members_[i], fds_[i]);
            any       = any || found_[i];
        }
        if (any) return true;
        if (changed) {
            passed_over_.forget_changes();
            look_at_all();
        } else {
            for (pollfd& one : fds_)
                if (one.revents != 0) passed_over_.add(one, ec);
        }
        return false;
    }

    const std::vector<member>& members_;
    std::vector<pollfd> fds_; // of the members; -1: passed over
    std::vector<bool> found_;
    passed_over passed_over_;
    int closing_ = -1;
};

int keep_ready(const socket_set_ref& set, short asks, const std::vector<member>& members, const std::vector<bool>& found)
{
    if (!set) return 0;
    const auto room = set.members();
    UINT kept       = 0;
    for (std::size_t i = 0; i < members.size(); ++i)
        if (members[i].asks == asks && found[i]) room[kept++] = members[i].number;
    set.resize(kept);
    return static_cast<int>(kept);
}

} // namespace

int select(int, socket_set_ref readfds, socket_set_ref writefds, socket_set_ref exceptfds, const timeval* timeout)
{
    return detail::guarded(SOCKET_ERROR, [&] {
        if (!detail::attached_segment()) return SOCKET_ERROR;
        std::vector<member> members;
        const bool known =
            add(readfds, asks_read, members) && add(writefds, asks_write, members) && add(exceptfds, asks_exception, members);
        if (!known) return SOCKET_ERROR;
        if (members.empty() || (timeout != nullptr && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
            return detail::fail(WSAEINVAL);
        std::optional<steady_clock::time_point> limit;
        if (timeout != nullptr)
            limit = steady_clock::now() + std::chrono::seconds(timeout->tv_sec) + std::chrono::microseconds(timeout->tv_usec);
        error_code ec;
        waiting here(members);
        here.until(limit, ec);
        if (ec) return detail::fail(ec);
        return keep_ready(readfds, asks_read, members, here.found()) + keep_ready(writefds, asks_write, members, here.found()) +
               keep_ready(exceptfds, asks_exception, members, here.found());
    });
}

} // namespace sharedsock::winsock
