// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Making sockets, naming them, connecting and ending them.
#include "attach/handle.hpp"
#include "winsock/address_use.hpp"
#include "winsock/arguments.hpp"
#include "winsock/closing_watch.hpp"
#include "winsock/layer.hpp"
#include "winsock/windows.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace sharedsock::winsock {

using detail::refusal;
using detail::through;

namespace {

constexpr int largest_protocol = 255; // of the internet's

struct socket_kind {
    int family;
    int type;
    int protocol;
};

// As Winsock chooses a protocol: an argument of 0 may be any, and an unknown one has an error of its own (WSK-10).
socket_kind kind_of(int family, int type, int protocol, error_code& ec) noexcept
{
    if (family == AF_UNSPEC && type == 0 && protocol == 0) ec = refusal(EINVAL);
    if (family == AF_UNSPEC) family = AF_INET;
    if (type == 0) type = protocol == IPPROTO_UDP ? SOCK_DGRAM : protocol == 0 || protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_RAW;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW && type != SOCK_RDM && type != SOCK_SEQPACKET)
        ec = refusal(ESOCKTNOSUPPORT);
    else if (protocol < 0 || protocol > largest_protocol)
        ec = refusal(EPROTONOSUPPORT);
    return {family, type, protocol};
}

bool listens(const shared_socket& socket)
{
    int listening = 0;
    error_code failed;
    socket.get_option(SOL_SOCKET, SO_ACCEPTCONN, &listening, sizeof listening, failed);
    return !failed && listening != 0;
}

// A wait that has ended without a result: the socket's timeout has passed (WSK-4).
void say_timed_out(const shared_socket& socket, error_code& ec)
{
    if (ec == std::errc::operation_would_block && socket.is_open() && socket.blocking()) ec = refusal(ETIMEDOUT);
}

// The peer of a stream that the kernel does not call connected: of one that is connecting, or has ended on both sides (WSK-10).
socket_address former_peer(const shared_socket& socket, error_code& ec)
{
    socket_address address;
    const auto attempt = sharedsock::detail::connect_word::decode(socket.impl()->slot().connect_state.load());
    if (attempt.phase == sharedsock::detail::connect_phase::failed) return address;
    error_code unknown;
    const auto size        = static_cast<std::size_t>(detail::least_size_of(socket.family()));
    const std::size_t told = socket.get_option(SOL_SOCKET, SO_PEERNAME, address.data(), size, unknown);
    if (unknown) return address;
    address.resize(static_cast<socklen_t>(told));
    ec.clear();
    return address;
}

} // namespace

SOCKET socket(int af, int type, int protocol)
{
    return detail::guarded(INVALID_SOCKET, [&] {
        const segment where = detail::attached_segment();
        if (!where) return INVALID_SOCKET;
        error_code ec;
        const socket_kind kind = kind_of(af, type, protocol, ec);
        shared_socket made;
        if (!ec) made = shared_socket::open(where, kind.family, kind.type, kind.protocol, ec);
        const int on         = 1;
        const bool has_ports = kind.type == SOCK_STREAM || kind.type == SOCK_DGRAM;
        if (!ec && kind.family == AF_INET6 && has_ports) made.set_option(IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on, ec);
        if (!ec) detail::address_use::begin(made);
        if (!ec) return detail::enter_socket(std::move(made));
        detail::fail(ec);
        return INVALID_SOCKET;
    });
}

int closesocket(SOCKET s)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const std::uint64_t id = socket.id();
        socket.close(ec);
        if (ec) return; // errc::would_linger: the SOCKET stays valid (ERR-4)
        detail::leave_socket(s, id);
        detail::closing_watch::tell();
    });
}

int bind(SOCKET s, const sockaddr* name, int namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address address = detail::read_address(name, namelen, ec);
        if (!ec) detail::address_use::bind(socket, address, ec);
    });
}

int listen(SOCKET s, int backlog)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        if (!detail::address_use::has_address(socket, ec) && !ec) ec = refusal(EINVAL); // Linux would choose a port
        if (!ec) detail::address_use::listen(socket, backlog, ec);
    });
}

SOCKET accept(SOCKET s, sockaddr* addr, int* addrlen)
{
    SOCKET accepted = INVALID_SOCKET;
    through(s, [&](shared_socket& socket, error_code& ec) {
        const bool tells = addr != nullptr && addrlen != nullptr;
        if (tells && !detail::has_room(addr, addrlen, socket.family())) { // before a connection is taken
            ec = refusal(EFAULT);
            return;
        }
        detail::arrival arriving;
        socket_address peer;
        shared_socket fresh = socket.accept(ec, tells ? &peer : nullptr);
        say_timed_out(socket, ec);
        if (ec) return;
        detail::write_address(peer, addr, addrlen);
        accepted = arriving.enter(std::move(fresh));
    });
    return accepted;
}

namespace {

// The condition function's answer about a connection.
int ask_condition(SOCKET accepted, const sockaddr_storage& peer, int peer_size, LPCONDITIONPROC condition, DWORD_PTR data)
{
    sockaddr_storage caller = peer, own{};
    int own_size            = sizeof own;
    if (getsockname(accepted, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return CF_REJECT;
    WSABUF caller_id{static_cast<ULONG>(peer_size), reinterpret_cast<char*>(&caller)};
    WSABUF own_id{static_cast<ULONG>(own_size), reinterpret_cast<char*>(&own)};
    GROUP group = 0;
    return condition(&caller_id, nullptr, nullptr, nullptr, &own_id, nullptr, &group, data);
}

} // namespace

SOCKET WSAAccept(SOCKET s, sockaddr* addr, int* addrlen, LPCONDITIONPROC lpfnCondition, DWORD_PTR dwCallbackData)
{
    if (lpfnCondition == nullptr) return accept(s, addr, addrlen);
    sockaddr_storage peer{};
    int size              = sizeof peer;
    const SOCKET accepted = accept(s, reinterpret_cast<sockaddr*>(&peer), &size);
    if (accepted == INVALID_SOCKET) return accepted;
    const bool fits = addr == nullptr || addrlen == nullptr || *addrlen >= size;
    if (fits && ask_condition(accepted, peer, size, lpfnCondition, dwCallbackData) == CF_ACCEPT) {
        if (addr != nullptr && addrlen != nullptr) std::memcpy(addr, &peer, static_cast<std::size_t>(*addrlen = size));
        return accepted;
    }
    const linger reset{1, 0};
    setsockopt(accepted, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&reset), sizeof reset);
    closesocket(accepted);
    detail::fail(fits ? WSAECONNREFUSED : WSAEFAULT);
    return INVALID_SOCKET;
}

int WSAConnect(SOCKET s, const sockaddr* name, int namelen, LPWSABUF lpCallerData, LPWSABUF lpCalleeData, void* lpSQOS,
               void* lpGQOS)
{
    if (lpCallerData == nullptr && lpCalleeData == nullptr && lpSQOS == nullptr && lpGQOS == nullptr)
        return connect(s, name, namelen);
    return through(s, [](shared_socket&, error_code& ec) { ec = refusal(EOPNOTSUPP); });
}

int connect(SOCKET s, const sockaddr* name, int namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address address = detail::read_address(name, namelen, ec);
        if (ec) return;
        socket.connect(address, ec);
        say_timed_out(socket, ec);
        if (ec == std::errc::already_connected && listens(socket)) ec = refusal(EINVAL);
    });
}

int shutdown(SOCKET s, int how)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        socket.shutdown(how, ec);
        if (ec != std::errc::not_connected || socket.type() != SOCK_DGRAM) return;
        // The kernel has shut the socket down, and says that it has no peer.
        std::uint32_t directions = 0;
        if (how != SD_SEND) directions |= sharedsock::detail::flag_shut_receive;
        if (how != SD_RECEIVE) directions |= sharedsock::detail::flag_shut_send;
        socket.impl()->slot().flags.fetch_or(directions);
        ec.clear();
    });
}

int getsockname(SOCKET s, sockaddr* name, int* namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address address = socket.local_address(ec);
        if (ec) return;
        if (name == nullptr || !detail::has_room(name, namelen, socket.family()))
            ec = refusal(EFAULT);
        else if (detail::names_nobody(address))
            ec = refusal(EINVAL);
        else
            detail::write_address(address, name, namelen);
    });
}

int getpeername(SOCKET s, sockaddr* name, int* namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        socket_address address = socket.peer_address(ec);
        if (ec == std::errc::not_connected && socket.type() == SOCK_STREAM) address = former_peer(socket, ec);
        if (ec) return;
        if (name == nullptr || !detail::has_room(name, namelen, socket.family()))
            ec = refusal(EFAULT);
        else
            detail::write_address(address, name, namelen);
    });
}

} // namespace sharedsock::winsock
