// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSAStartup and WSACleanup: the life of this process's attachment.
#include "attach/fork_hook.hpp"
#include "winsock/closing_watch.hpp"
#include "winsock/layer.hpp"
#include "winsock/windows.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pthread.h>

namespace sharedsock::winsock {
namespace {

using detail::layer;
using detail::the_layer;

struct segment_choice {
    std::string name;
    segment_options options;
};

// Guards the state below, and orders WSAStartup and WSACleanup, which call the library: taken before the layer's mutex.
auto& startup_mutex()
{
    using sharedsock::detail::lock_rank;
    static auto* const one = new sharedsock::detail::ranked_mutex<lock_rank::winsock_startup>; // never destroyed, as the layer
    return *one;
}
std::optional<segment_choice>& chosen()
{
    static auto* const one = new std::optional<segment_choice>; // by use_segment
    return *one;
}
segment_choice& attached()
{
    static auto* const one = new segment_choice; // the segment that WSAStartup chose
    return *one;
}

segment_choice choice()
{
    if (chosen()) return *chosen();
    const char* const named = std::getenv("SHAREDSOCK_WINSOCK_SEGMENT");
    return {named != nullptr && *named != '\0' ? named : "winsock", {}};
}

void lock_layer() { the_layer().mutex.lock(); }
void unlock_layer() { the_layer().mutex.unlock(); }

// Ends everything. The caller holds the startup mutex, and no call finds a SOCKET any more.
void detach()
{
    layer& all = the_layer();
    std::vector<std::shared_ptr<shared_socket>> sockets;
    std::shared_ptr<void> server;
    segment where;
    {
        const std::scoped_lock lock(all.mutex);
        sockets = all.sockets.clear();
        server  = std::exchange(all.server, nullptr);
        where   = std::exchange(all.where, {});
        detail::the_arrivals().numbers.clear(); // another segment may have the same ids
    }
    error_code ignored;
    for (const auto& socket : sockets)
        socket->close(ignored); // ends blocking calls of other threads
    detail::closing_watch::tell();
    sockets.clear(); // closes in the background the sockets that would have lingered
    server.reset();
    where = {};
    // Attached processes keep the segment: errc::segment_in_use. The last process to leave removes it.
    segment::remove(attached().name, attached().options, false, ignored);
}

void detach_at_exit()
{
    const std::scoped_lock order(startup_mutex());
    bool started = false;
    {
        layer& all = the_layer();
        const std::scoped_lock lock(all.mutex);
        started = std::exchange(all.startups, 0) > 0;
    }
    if (started) detail::guarded(0, [] { return detach(), 0; });
}

void prepare_process()
{
    static const bool once = [] {
        sharedsock::detail::install_fork_hook(); // first: of hooks that prepare for fork(2), the last installed one begins
        ::pthread_atfork(lock_layer, unlock_layer, unlock_layer);
        std::atexit(detach_at_exit);
        return true;
    }();
    static_cast<void>(once);
}

int attach(segment& where)
{
    attached() = choice();
    error_code ec;
    where = segment::open_or_create(attached().name, attached().options, ec);
    if (!ec) return 0;
    detail::fail(ec); // for last_error_reason
    return ec == errc::process_table_full ? WSAEPROCLIM : WSASYSNOTREADY;
}

void describe(WSADATA& data, WORD version)
{
    data              = {};
    data.wVersion     = version;
    data.wHighVersion = MAKEWORD(2, 2);
    data.iMaxSockets  = static_cast<unsigned short>(std::min<std::uint32_t>(attached().options.sockets, 65'535));
    data.iMaxUdpDg    = 65'507;
    std::snprintf(data.szDescription, sizeof data.szDescription, "sharedsock");
    std::snprintf(data.szSystemStatus, sizeof data.szSystemStatus, "segment %s", attached().name.c_str());
}

// Winsock's numbers of versions are "low byte: major, high byte: minor". Every one from 1.0 on is served, by 2.2 at most.
WORD served_version(WORD wanted) noexcept
{
    const auto number = [](WORD version) { return LOBYTE(version) << 8 | HIBYTE(version); };
    if (LOBYTE(wanted) == 0) return 0;
    return number(wanted) < number(MAKEWORD(2, 2)) ? wanted : MAKEWORD(2, 2);
}

} // namespace

bool use_segment(std::string name, segment_options options)
{
    const std::scoped_lock order(startup_mutex());
    layer& all = the_layer();
    const std::scoped_lock lock(all.mutex);
    if (all.startups > 0) return false;
    chosen() = {std::move(name), std::move(options)};
    return true;
}

int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData)
{
    if (lpWSAData == nullptr) return WSAEFAULT;
    const WORD version = served_version(wVersionRequested);
    if (version == 0) return WSAVERNOTSUPPORTED;
    return detail::guarded(WSASYSNOTREADY, [&] {
        prepare_process();
        const std::scoped_lock order(startup_mutex());
        layer& all    = the_layer();
        segment where = current_segment();
        if (!where)
            if (const int error = attach(where); error != 0) return error;
        describe(*lpWSAData, version);
        const std::scoped_lock lock(all.mutex);
        ++all.startups;
        all.where = where;
        return 0;
    });
}

int WSACleanup()
{
    return detail::guarded(SOCKET_ERROR, [] {
        const std::scoped_lock order(startup_mutex());
        {
            layer& all = the_layer();
            const std::scoped_lock lock(all.mutex);
            if (all.startups == 0) return detail::fail(WSANOTINITIALISED);
            if (--all.startups > 0) return 0;
        }
        detach();
        return 0;
    });
}

} // namespace sharedsock::winsock
