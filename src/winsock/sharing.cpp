// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSADuplicateSocket and WSASocket: a ticket that looks like a WSAPROTOCOL_INFO.
#include "attach/fork_hook.hpp"
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"
#include "winsock/protocol_info.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace sharedsock::winsock {
namespace {

using detail::layer;
using detail::refusal;
using detail::the_layer;

bool has_server(const layer& all) noexcept
{
    return all.server != nullptr && all.server_instance == sharedsock::detail::process_instance();
}

// From now on a thread answers processes that come for the descriptors that this process keeps for them.
void serve(segment where)
{
    layer& all = the_layer();
    {
        const std::scoped_lock lock(all.mutex);
        if (has_server(all)) return;
    }
    std::shared_ptr<void> server = where.serve_in_thread();
    const std::scoped_lock lock(all.mutex);
    if (has_server(all) || all.startups == 0) return; // another thread was faster; this one's server ends
    all.server.swap(server);                          // a forked child's copy of its parent's ends
    all.server_instance = sharedsock::detail::process_instance();
}

bool valid(DWORD flags) noexcept { return (flags & ~(WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)) == 0; }

SOCKET redeem(const WSAPROTOCOL_INFO& info)
{
    const segment where = detail::attached_segment();
    if (!where) return INVALID_SOCKET;
    error_code ec;
    const ticket permission = ticket::from_bytes(std::as_bytes(std::span(info.reserved_ticket)), ec);
    shared_socket redeemed  = ec ? shared_socket() : shared_socket::redeem(where, permission, ec);
    if (!ec) return detail::enter_socket(std::move(redeemed));
    detail::fail(ec);
    return INVALID_SOCKET;
}

} // namespace

int WSAEnumProtocolsA(int* lpiProtocols, LPWSAPROTOCOL_INFO lpProtocolBuffer, LPDWORD lpdwBufferLength)
{
    constexpr std::pair<int, int> kinds[] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}};
    if (!detail::attached_segment()) return SOCKET_ERROR;
    if (lpdwBufferLength == nullptr) return detail::fail(WSAEFAULT);
    WSAPROTOCOL_INFO known[4];
    int count = 0;
    for (const int family : {AF_INET, AF_INET6})
        for (const auto& [type, protocol] : kinds) {
            const int* wanted = lpiProtocols;
            while (wanted != nullptr && *wanted != 0 && *wanted != protocol)
                ++wanted;
            if (wanted == nullptr || *wanted != 0) detail::describe(known[count++], family, type, protocol);
        }
    const auto needed = static_cast<DWORD>(static_cast<std::size_t>(count) * sizeof known[0]);
    const bool fits   = lpProtocolBuffer != nullptr && *lpdwBufferLength >= needed;
    *lpdwBufferLength = needed;
    if (!fits) return detail::fail(WSAENOBUFS);
    std::memcpy(lpProtocolBuffer, known, needed);
    return count;
}

int WSADuplicateSocket(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFO lpProtocolInfo)
{
    return detail::through(s, [&](shared_socket& socket, error_code& ec) {
        if (lpProtocolInfo == nullptr) {
            ec = refusal(EFAULT);
            return;
        }
        const ticket permission = socket.duplicate_for_pid(static_cast<std::int32_t>(dwProcessId), ec);
        if (ec) return;
        detail::describe(*lpProtocolInfo, socket.family(), socket.type(), socket.protocol());
        const auto bytes = permission.to_bytes();
        std::memcpy(lpProtocolInfo->reserved_ticket, bytes.data(), sizeof lpProtocolInfo->reserved_ticket);
        if (!permission.target) serve(socket.where()); // not attached yet, or several times: this process keeps the descriptor
    });
}

SOCKET WSASocket(int af, int type, int protocol, LPWSAPROTOCOL_INFO lpProtocolInfo, GROUP, DWORD dwFlags)
{
    return detail::guarded(INVALID_SOCKET, [&] {
        if (!valid(dwFlags) || (lpProtocolInfo == nullptr && (af == FROM_PROTOCOL_INFO || type == FROM_PROTOCOL_INFO))) {
            detail::fail(WSAEINVAL);
            return INVALID_SOCKET;
        }
        if (lpProtocolInfo == nullptr) return socket(af, type, protocol);
        if (detail::carries_ticket(*lpProtocolInfo)) return redeem(*lpProtocolInfo);
        const auto chosen = [](int asked, int described) { return asked == FROM_PROTOCOL_INFO ? described : asked; };
        return socket(chosen(af, lpProtocolInfo->iAddressFamily), chosen(type, lpProtocolInfo->iSocketType),
                      chosen(protocol, lpProtocolInfo->iProtocol));
    });
}

} // namespace sharedsock::winsock
