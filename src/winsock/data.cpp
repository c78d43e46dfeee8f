// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sending and receiving.
#include "attach/handle.hpp"
#include "events/re_enabling.hpp"
#include "winsock/address_use.hpp"
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace sharedsock::winsock {
namespace {

using detail::refusal;
using detail::through;

constexpr int never_waits = MSG_DONTWAIT | MSG_OOB;

bool has_shut(const shared_socket& socket, std::uint32_t direction) noexcept
{
    return socket.impl() != nullptr && (socket.impl()->slot().flags.load() & direction) != 0;
}

bool is_set(const shared_socket& socket, int option)
{
    int value = 0;
    error_code failed;
    socket.get_option(SOL_SOCKET, option, &value, sizeof value, failed);
    return !failed && value != 0;
}

// The reasons for which Winsock fails in other words than Linux (WSK-8, WSK-9).
void tell_send_failure(const shared_socket& socket, int flags, error_code& ec)
{
    if (ec == std::errc::operation_would_block) {
        if ((flags & never_waits) == 0 && socket.is_open() && socket.blocking()) ec = refusal(ETIMEDOUT);
    } else if (ec == std::errc::broken_pipe) {
        if (is_set(socket, SO_ACCEPTCONN))
            ec = refusal(ENOTCONN);
        else if (!has_shut(socket, sharedsock::detail::flag_shut_send))
            ec = refusal(ECONNABORTED); // a reset has answered what was sent after the peer's orderly end
    } else if (socket.type() == SOCK_DGRAM && ec == std::errc::destination_address_required) {
        ec = refusal(ENOTCONN);
    } else if (socket.type() == SOCK_DGRAM && ec == std::errc::connection_refused) {
        ec = refusal(ECONNRESET);
    }
}

void tell_receive_failure(const shared_socket& socket, int flags, error_code& ec)
{
    if (ec == std::errc::operation_would_block) {
        if ((flags & never_waits) == 0 && socket.is_open() && socket.blocking()) ec = refusal(ETIMEDOUT);
    } else if (ec == std::errc::invalid_argument) {
        if ((flags & MSG_OOB) != 0 && !is_set(socket, SO_OOBINLINE)) ec = refusal(EAGAIN); // nothing urgent is there yet
    } else if (socket.type() == SOCK_DGRAM && ec == std::errc::connection_refused) {
        ec = refusal(ECONNRESET);
    }
}

// The receives that Winsock refuses before it looks for data. Such a receive re-enables READ as well (EVT-2).
void refuse_receive(shared_socket& socket, int flags, error_code& ec)
{
    if (has_shut(socket, sharedsock::detail::flag_shut_receive))
        ec = refusal(ESHUTDOWN);
    else if (socket.type() == SOCK_DGRAM && (flags & MSG_OOB) != 0)
        ec = refusal(EOPNOTSUPP);
    else if (socket.type() == SOCK_DGRAM && !detail::address_use::has_address(socket, ec) && !ec)
        ec = refusal(EINVAL);
    if (!ec || !socket.is_open()) return;
    sharedsock::detail::handle& through = *socket.impl();
    if (waits_for(through.slot(), sharedsock::detail::receive_events)) re_enable(through, sharedsock::detail::receive_events);
}

bool usable(const char* buffer, int size) noexcept { return size >= 0 && (buffer != nullptr || size == 0); }

// A call that transfers data: its count, or SOCKET_ERROR. WSAGetLastError is 0 afterwards if it has succeeded (WSK-11).
template <class Call>
int transferred(SOCKET s, Call call) noexcept
{
    int count        = 0;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) { count = static_cast<int>(call(socket, ec)); });
    if (result != 0) return SOCKET_ERROR;
    detail::succeed();
    return count;
}

// Every receive: as `shared_socket::receive_message`, and an error if a datagram was cut (Linux only notes it).
std::size_t receive(shared_socket& socket, std::span<iovec> pieces, int flags, socket_address* from, error_code& ec)
{
    refuse_receive(socket, flags, ec);
    if (ec) return 0;
    msghdr message{};
    message.msg_iov    = pieces.data();
    message.msg_iovlen = pieces.size();
    if (from != nullptr) {
        message.msg_name    = from->data();
        message.msg_namelen = socket_address::capacity();
    }
    const std::size_t count = socket.receive_message(message, flags, ec);
    if (ec) tell_receive_failure(socket, flags, ec);
    if (ec) return count;
    if (from != nullptr) from->resize(std::min(message.msg_namelen, socket_address::capacity()));
    if (socket.type() != SOCK_STREAM && (message.msg_flags & MSG_TRUNC) != 0) ec = refusal(EMSGSIZE); // the rest is delivered
    return count;
}

// The pieces of a WSASend or WSARecv. WSAEFAULT, WSAEINVAL, and WSAEOPNOTSUPP for an overlapped call.
std::vector<iovec> pieces_of(LPWSABUF buffers, DWORD count, bool overlapped, error_code& ec)
{
    std::vector<iovec> pieces;
    if (overlapped)
        ec = refusal(EOPNOTSUPP);
    else if (count == 0 || count > IOV_MAX)
        ec = refusal(EINVAL);
    else if (buffers == nullptr)
        ec = refusal(EFAULT);
    if (ec) return pieces;
    for (const WSABUF& one : std::span(buffers, count)) {
        pieces.push_back({one.buf, one.len});
        if (one.buf == nullptr && one.len != 0) ec = refusal(EFAULT);
    }
    return pieces;
}

} // namespace

int send(SOCKET s, const char* buf, int len, int flags)
{
    return transferred(s, [&](shared_socket& socket, error_code& ec) -> std::size_t {
        if (!usable(buf, len)) {
            ec = refusal(EFAULT);
            return 0;
        }
        const std::size_t sent = socket.send(detail::bytes_of(buf, len), flags, ec);
        if (ec) tell_send_failure(socket, flags, ec);
        return sent;
    });
}

int sendto(SOCKET s, const char* buf, int len, int flags, const sockaddr* to, int tolen)
{
    if (to == nullptr) return send(s, buf, len, flags);
    return transferred(s, [&](shared_socket& socket, error_code& ec) -> std::size_t {
        const socket_address target = detail::read_address(to, tolen, ec);
        if (!usable(buf, len)) ec = refusal(EFAULT);
        if (ec) return 0;
        const std::size_t sent = socket.send_to(detail::bytes_of(buf, len), target, flags, ec);
        if (ec) tell_send_failure(socket, flags, ec);
        return sent;
    });
}

int recv(SOCKET s, char* buf, int len, int flags) { return recvfrom(s, buf, len, flags, nullptr, nullptr); }

int recvfrom(SOCKET s, char* buf, int len, int flags, sockaddr* from, int* fromlen)
{
    return transferred(s, [&](shared_socket& socket, error_code& ec) -> std::size_t {
        // A stream's sender is its peer: Winsock leaves `from` and `fromlen` as they are (WSK-5).
        const bool tells = socket.type() != SOCK_STREAM && from != nullptr;
        if (!usable(buf, len) || (tells && !detail::has_room(from, fromlen, socket.family()))) { // before a datagram is taken
            ec = refusal(EFAULT);
            return 0;
        }
        iovec piece{buf, static_cast<std::size_t>(len)};
        socket_address sender;
        const std::size_t got = receive(socket, std::span(&piece, 1), flags, tells ? &sender : nullptr, ec);
        if (tells && (!ec || ec == std::errc::message_size)) detail::write_address(sender, from, fromlen);
        return got;
    });
}

int WSASend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return WSASendTo(s, lpBuffers, dwBufferCount, lpNumberOfBytesSent, dwFlags, nullptr, 0, lpOverlapped, lpCompletionRoutine);
}

int WSASendTo(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags, const sockaddr* lpTo,
              int iTolen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    const int sent = transferred(s, [&](shared_socket& socket, error_code& ec) -> std::size_t {
        auto pieces = pieces_of(lpBuffers, dwBufferCount, lpOverlapped != nullptr || lpCompletionRoutine != nullptr, ec);
        if (lpNumberOfBytesSent == nullptr && !ec) ec = refusal(EFAULT);
        socket_address target;
        if (lpTo != nullptr && !ec) target = detail::read_address(lpTo, iTolen, ec);
        if (ec) return 0;
        msghdr message{};
        message.msg_iov    = pieces.data();
        message.msg_iovlen = pieces.size();
        if (lpTo != nullptr) {
            message.msg_name    = target.data();
            message.msg_namelen = target.size();
        }
        const auto flags        = static_cast<int>(dwFlags);
        const std::size_t count = socket.send_message(message, flags, ec);
        if (ec) tell_send_failure(socket, flags, ec);
        if (!ec) *lpNumberOfBytesSent = static_cast<DWORD>(count);
        return count;
    });
    return sent == SOCKET_ERROR ? SOCKET_ERROR : 0;
}

int WSARecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return WSARecvFrom(s, lpBuffers, dwBufferCount, lpNumberOfBytesRecvd, lpFlags, nullptr, nullptr, lpOverlapped,
                       lpCompletionRoutine);
}

int WSARecvFrom(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags, sockaddr* lpFrom,
                int* lpFromlen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    const int got = transferred(s, [&](shared_socket& socket, error_code& ec) -> std::size_t {
        const bool tells = socket.type() != SOCK_STREAM && lpFrom != nullptr; // WSK-5
        auto pieces      = pieces_of(lpBuffers, dwBufferCount, lpOverlapped != nullptr || lpCompletionRoutine != nullptr, ec);
        const bool whole = lpNumberOfBytesRecvd != nullptr && lpFlags != nullptr &&
                           (!tells || detail::has_room(lpFrom, lpFromlen, socket.family()));
        if (!whole && !ec) ec = refusal(EFAULT);
        if (ec) return 0;
        socket_address sender;
        const std::size_t count = receive(socket, pieces, static_cast<int>(*lpFlags), tells ? &sender : nullptr, ec);
        const bool cut          = ec == std::errc::message_size;
        if (tells && (!ec || cut)) detail::write_address(sender, lpFrom, lpFromlen);
        if (!ec || cut) *lpNumberOfBytesRecvd = static_cast<DWORD>(count);
        if (!ec) *lpFlags = 0;
        return count;
    });
    return got == SOCKET_ERROR ? SOCKET_ERROR : 0;
}

} // namespace sharedsock::winsock
