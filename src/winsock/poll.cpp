// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSAPoll, by poll(2).
#include "base/syscall.hpp"
#include "winsock/closing_watch.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <poll.h>

namespace sharedsock::winsock {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The sockets of the entries; null for one that is no SOCKET, or whose SOCKET was closed.
std::vector<std::shared_ptr<shared_socket>> sockets_of(std::span<const WSAPOLLFD> entries)
{
    std::vector<std::shared_ptr<shared_socket>> found;
    found.reserve(entries.size());
    detail::layer& all = detail::the_layer();
    const std::scoped_lock lock(all.mutex);
    for (const WSAPOLLFD& one : entries)
        found.push_back(all.sockets.find(one.fd));
    return found;
}

// Looks at all entries once, for so many milliseconds; how many are ready.
int look(std::span<WSAPOLLFD> entries, int closing, int limit, error_code& ec)
{
    const auto sockets = sockets_of(entries);
    std::vector<pollfd> fds;
    fds.reserve(entries.size() + 1);
    bool unknown = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        fds.push_back({sockets[i] != nullptr ? sockets[i]->native_handle() : -1, entries[i].events, 0});
        unknown = unknown || (fds.back().fd < 0 && entries[i].fd != INVALID_SOCKET);
    }
    fds.push_back({closing, POLLIN, 0});
    const int shown = ::poll(fds.data(), fds.size(), unknown ? 0 : limit);
    if (shown < 0 && errno != EINTR) ec = sharedsock::detail::last_error(sharedsock::detail::sys<"poll">);
    if (shown < 0 || fds.back().revents != 0) return 0; // a descriptor may be another file's by now
    int ready = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const bool open    = entries[i].fd == INVALID_SOCKET || fds[i].fd >= 0;
        entries[i].revents = open ? fds[i].revents : static_cast<short>(POLLNVAL);
        if (entries[i].revents != 0) ++ready;
    }
    return ready;
}

} // namespace

int WSAPoll(WSAPOLLFD* fdArray, ULONG fds, INT timeout)
{
    return detail::guarded(SOCKET_ERROR, [&] {
        if (!detail::attached_segment()) return SOCKET_ERROR;
        if (fdArray == nullptr || fds == 0) return detail::fail(fds == 0 ? WSAEINVAL : WSAEFAULT);
        const std::span entries(fdArray, fds);
        const auto until = steady_clock::now() + milliseconds(std::max(timeout, 0));
        error_code ec;
        int ready = look(entries, -1, 0, ec);
        if (ec) return detail::fail(ec);
        if (ready > 0 || timeout == 0) return ready;
        const detail::closing_watch watch;
        for (;;) {
            watch.forget();
            const auto rest = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
            const int limit = timeout < 0 ? -1 : static_cast<int>(std::max<decltype(rest)>(rest, 0));
            ready           = look(entries, watch.descriptor(), limit, ec);
            if (ec) return detail::fail(ec);
            if (ready > 0 || limit == 0) return ready;
        }
    });
}

} // namespace sharedsock::winsock
