// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Making sockets, naming them, connecting and ending them.
#include "winsock/arguments.hpp"
#include "winsock/layer.hpp"
#include "winsock/windows.hpp"

#include <sharedsock/winsock/calls.hpp>

#include <cstdint>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace sharedsock::winsock {

using detail::refusal;
using detail::through;

SOCKET socket(int af, int type, int protocol)
{
    return detail::guarded(INVALID_SOCKET, [&] {
        const segment where = detail::attached_segment();
        if (!where) return INVALID_SOCKET;
        error_code ec;
        shared_socket made = shared_socket::open(where, af, type, protocol, ec);
        const int on       = 1;
        if (!ec && af == AF_INET6) made.set_option(IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on, ec); // Windows' default
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
        if (!ec) detail::leave_socket(s, id); // else errc::would_linger: the SOCKET stays valid (ERR-4)
    });
}

int bind(SOCKET s, const sockaddr* name, int namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address address = detail::read_address(name, namelen, ec);
        if (!ec) socket.bind(address, ec);
    });
}

int listen(SOCKET s, int backlog)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address own = socket.local_address(ec);
        if (!ec && detail::names_nobody(own)) ec = refusal(EINVAL); // Linux would choose a port
        if (!ec) socket.listen(backlog, ec);
    });
}

SOCKET accept(SOCKET s, sockaddr* addr, int* addrlen)
{
    SOCKET accepted = INVALID_SOCKET;
    through(s, [&](shared_socket& socket, error_code& ec) {
        if (!detail::has_room(addr, addrlen, socket.family())) { // before a connection is taken
            ec = refusal(EFAULT);
            return;
        }
        detail::arrival arriving;
        socket_address peer;
        shared_socket fresh = socket.accept(ec, &peer);
        if (ec) return;
        detail::write_address(peer, addr, addrlen);
        accepted = arriving.enter(std::move(fresh));
    });
    return accepted;
}

int connect(SOCKET s, const sockaddr* name, int namelen)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        const socket_address address = detail::read_address(name, namelen, ec);
        if (!ec) socket.connect(address, ec);
    });
}

int shutdown(SOCKET s, int how)
{
    return through(s, [&](shared_socket& socket, error_code& ec) { socket.shutdown(how, ec); });
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
        const socket_address address = socket.peer_address(ec);
        if (ec) return;
        if (name == nullptr || !detail::has_room(name, namelen, socket.family()))
            ec = refusal(EFAULT);
        else
            detail::write_address(address, name, namelen);
    });
}

} // namespace sharedsock::winsock
