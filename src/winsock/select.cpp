// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// select, by poll(2).
#include "attach/handle.hpp"
#include "events/connection_state.hpp"
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <poll.h>

namespace sharedsock::winsock {

bool set_contains(SOCKET s, const socket_set& set) noexcept
{
    const std::span members(set.fd_array, std::min(set.fd_count, socket_set::capacity));
    return std::ranges::find(members, s) != members.end();
}

void set_insert(SOCKET s, socket_set& set) noexcept
{
    if (set.fd_count < socket_set::capacity && !set_contains(s, set)) set.fd_array[set.fd_count++] = s;
}

void set_erase(SOCKET s, socket_set& set) noexcept
{
    const auto end = std::remove(set.fd_array, set.fd_array + std::min(set.fd_count, socket_set::capacity), s);
    set.fd_count   = static_cast<UINT>(end - set.fd_array);
}

namespace {

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
bool add(const socket_set* set, short asks, std::vector<member>& members)
{
    if (set == nullptr) return true;
    for (const SOCKET s : std::span(set->fd_array, std::min(set->fd_count, socket_set::capacity))) {
        members.push_back({s, detail::find_socket(s), asks});
        if (members.back().socket == nullptr) return false;
    }
    return true;
}

// A connection that was reset shows the same to poll(2); the socket's slot knows which it was (EVT-17).
bool attempt_failed(const member& one, const pollfd& shown)
{
    if ((shown.revents & POLLERR) == 0 || one.socket->impl() == nullptr) return false;
    auto& slot = one.socket->impl()->slot();
    sharedsock::detail::connection_state::of_shown(shown.fd, slot, shown.revents);
    const auto attempt = sharedsock::detail::connect_word::decode(slot.connect_state.load());
    return attempt.phase == sharedsock::detail::connect_phase::failed;
}

bool ready(const member& one, const pollfd& shown)
{
    if (shown.revents == 0) return false;
    if (one.asks == asks_exception) return (shown.revents & POLLPRI) != 0 || attempt_failed(one, shown);
    return (shown.revents & (one.asks | POLLERR | POLLHUP | POLLNVAL)) != 0 && !attempt_failed(one, shown);
}

// Shown events that do not count, as an ended connection among the exceptions, would only keep poll(2) awake.
void pass_over_what_does_not_count(std::vector<pollfd>& fds)
{
    for (pollfd& one : fds)
        if (one.revents != 0) one.fd = -1;
}

// Waits until a member is ready, or the time is up; whether each member is ready.
std::vector<bool> wait(const std::vector<member>& members, std::optional<steady_clock::time_point> until, error_code& ec)
{
    std::vector<pollfd> fds;
    fds.reserve(members.size());
    for (const member& one : members)
        fds.push_back({one.socket->native_handle(), one.asks, 0});
    std::vector<bool> found(members.size());
    for (;;) {
        timespec left{};
        if (until) {
            const auto rest = std::max<std::chrono::nanoseconds>(*until - steady_clock::now(), std::chrono::nanoseconds::zero());
            left            = {rest.count() / 1'000'000'000, rest.count() % 1'000'000'000};
        }
        const int shown = ::ppoll(fds.data(), fds.size(), until ? &left : nullptr, nullptr);
        if (shown < 0 && errno == EINTR) continue;
        if (shown < 0) ec = refusal(errno);
        if (shown <= 0) return found;
        bool any = false;
        for (std::size_t i = 0; i < members.size(); ++i) {
            found[i] = ready(members[i], fds[i]);
            any      = any || found[i];
        }
        if (any) return found;
        pass_over_what_does_not_count(fds);
    }
}

int keep_ready(socket_set* set, short asks, const std::vector<member>& members, const std::vector<bool>& found)
{
    if (set == nullptr) return 0;
    set_clear(*set);
    for (std::size_t i = 0; i < members.size(); ++i)
        if (members[i].asks == asks && found[i]) set_insert(members[i].number, *set);
    return static_cast<int>(set->fd_count);
}

} // namespace

int select(int, socket_set* readfds, socket_set* writefds, socket_set* exceptfds, const timeval* timeout)
{
    return detail::guarded(SOCKET_ERROR, [&] {
        if (!detail::attached_segment()) return SOCKET_ERROR;
        std::vector<member> members;
        const bool known =
            add(readfds, asks_read, members) && add(writefds, asks_write, members) && add(exceptfds, asks_exception, members);
        if (!known) return SOCKET_ERROR;
        if (members.empty() || (timeout != nullptr && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
            return detail::fail(WSAEINVAL);
        std::optional<steady_clock::time_point> until;
        if (timeout != nullptr)
            until = steady_clock::now() + std::chrono::seconds(timeout->tv_sec) + std::chrono::microseconds(timeout->tv_usec);
        error_code ec;
        const std::vector<bool> found = wait(members, until, ec);
        if (ec) return detail::fail(ec);
        return keep_ready(readfds, asks_read, members, found) + keep_ready(writefds, asks_write, members, found) +
               keep_ready(exceptfds, asks_exception, members, found);
    });
}

} // namespace sharedsock::winsock
