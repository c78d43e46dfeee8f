// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sending and receiving.
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace sharedsock::winsock {
namespace {

using detail::refusal;
using detail::through;

// Winsock has a word of its own for a blocking call whose time is up.
void say_timed_out(const shared_socket& socket, int flags, error_code& ec)
{
    if (ec == std::errc::operation_would_block && (flags & (MSG_DONTWAIT | MSG_OOB)) == 0 && socket.is_open() && socket.blocking())
        ec = refusal(ETIMEDOUT);
}

bool usable(const char* buffer, int size) noexcept { return size >= 0 && (buffer != nullptr || size == 0); }

// Every receive: as `shared_socket::receive_message`, and an error if a datagram was cut (Linux only notes it).
std::size_t receive(shared_socket& socket, std::span<iovec> pieces, int flags, socket_address* from, error_code& ec)
{
    msghdr message{};
    message.msg_iov    = pieces.data();
    message.msg_iovlen = pieces.size();
    if (from != nullptr) {
        message.msg_name    = from->data();
        message.msg_namelen = socket_address::capacity();
    }
    const std::size_t count = socket.receive_message(message, flags, ec);
    say_timed_out(socket, flags, ec);
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
    int sent         = SOCKET_ERROR;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) {
        if (!usable(buf, len)) {
            ec = refusal(EFAULT);
            return;
        }
        sent = static_cast<int>(socket.send(detail::bytes_of(buf, len), flags, ec));
        say_timed_out(socket, flags, ec);
    });
    return result == 0 ? sent : SOCKET_ERROR;
}

int sendto(SOCKET s, const char* buf, int len, int flags, const sockaddr* to, int tolen)
{
    if (to == nullptr) return send(s, buf, len, flags);
    int sent         = SOCKET_ERROR;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address target = detail::read_address(to, tolen, ec);
        if (!usable(buf, len)) ec = refusal(EFAULT);
        if (ec) return;
        sent = static_cast<int>(socket.send_to(detail::bytes_of(buf, len), target, flags, ec));
        say_timed_out(socket, flags, ec);
    });
    return result == 0 ? sent : SOCKET_ERROR;
}

int recv(SOCKET s, char* buf, int len, int flags)
{
    int got          = SOCKET_ERROR;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) {
        iovec piece{buf, static_cast<std::size_t>(len)};
        if (usable(buf, len))
            got = static_cast<int>(receive(socket, std::span(&piece, 1), flags, nullptr, ec));
        else
            ec = refusal(EFAULT);
    });
    return result == 0 ? got : SOCKET_ERROR;
}

int recvfrom(SOCKET s, char* buf, int len, int flags, sockaddr* from, int* fromlen)
{
    int got          = SOCKET_ERROR;
    const int result = through(s, [&](shared_socket& socket, error_code& ec) {
        if (!usable(buf, len) || !detail::has_room(from, fromlen, socket.family())) { // before a datagram is taken
            ec = refusal(EFAULT);
            return;
        }
        iovec piece{buf, static_cast<std::size_t>(len)};
        socket_address sender;
        got = static_cast<int>(receive(socket, std::span(&piece, 1), flags, &sender, ec));
        detail::write_address(sender, from, fromlen);
    });
    return result == 0 ? got : SOCKET_ERROR;
}

int WSASend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const auto pieces = pieces_of(lpBuffers, dwBufferCount, lpOverlapped != nullptr || lpCompletionRoutine != nullptr, ec);
        if (lpNumberOfBytesSent == nullptr && !ec) ec = refusal(EFAULT);
        if (ec) return;
        const std::size_t sent = socket.send(pieces, static_cast<int>(dwFlags), ec);
        say_timed_out(socket, static_cast<int>(dwFlags), ec);
        if (!ec) *lpNumberOfBytesSent = static_cast<DWORD>(sent);
    });
}

int WSARecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags,
            LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        auto pieces = pieces_of(lpBuffers, dwBufferCount, lpOverlapped != nullptr || lpCompletionRoutine != nullptr, ec);
        if ((lpNumberOfBytesRecvd == nullptr || lpFlags == nullptr) && !ec) ec = refusal(EFAULT);
        if (ec) return;
        const std::size_t got = receive(socket, pieces, static_cast<int>(*lpFlags), nullptr, ec);
        if (!ec) *lpNumberOfBytesRecvd = static_cast<DWORD>(got);
        if (!ec) *lpFlags = 0;
    });
}

} // namespace sharedsock::winsock
