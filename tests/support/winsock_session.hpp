// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <stdexcept>
#include <string>
#include <utility>

#include <netinet/in.h>

namespace test {

namespace ws = sharedsock::winsock;

/// This process between WSAStartup and WSACleanup, in a segment of its own name; or in the one that another session made.
class winsock_session {
public:
    explicit winsock_session(std::string name = unique_name()) : name_(std::move(name))
    {
        ws::use_segment(name_, {.sockets = 256, .processes = 32});
        ws::WSADATA data{};
        const int error = ws::WSAStartup(ws::MAKEWORD(2, 2), &data);
        if (error != 0) throw std::runtime_error("WSAStartup: " + std::to_string(error) + ", " + ws::last_error_reason().message());
    }
    ~winsock_session()
    {
        while (ws::WSACleanup() == 0) {
        }
    }
    winsock_session(const winsock_session&)            = delete;
    winsock_session& operator=(const winsock_session&) = delete;

    const std::string& name() const noexcept { return name_; }

private:
    const std::string name_;
};

/// 127.0.0.1 and a port.
inline sockaddr_in loopback(unsigned short port)
{
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port        = htons(port);
    return address;
}

inline unsigned short port_of(ws::SOCKET s)
{
    sockaddr_in address{};
    int size = sizeof address;
    return ws::getsockname(s, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? ntohs(address.sin_port) : 0;
}

/// A socket that is bound to a free port of 127.0.0.1.
inline ws::SOCKET bound_socket(int type = SOCK_STREAM)
{
    const ws::SOCKET s        = ws::socket(AF_INET, type, 0);
    const sockaddr_in address = loopback(0);
    if (ws::bind(s, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("bind: " + std::to_string(ws::WSAGetLastError()));
    return s;
}

inline ws::SOCKET listener()
{
    const ws::SOCKET s = bound_socket();
    if (ws::listen(s, SOMAXCONN) != 0) throw std::runtime_error("listen: " + std::to_string(ws::WSAGetLastError()));
    return s;
}

inline int connect_to(ws::SOCKET s, unsigned short port)
{
    const sockaddr_in address = loopback(port);
    return ws::connect(s, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// Both ends of a TCP connection, as SOCKETs of this process.
struct connected_pair {
    connected_pair()
    {
        const ws::SOCKET door = listener();
        near                  = ws::socket(AF_INET, SOCK_STREAM, 0);
        if (connect_to(near, port_of(door)) != 0) throw std::runtime_error("connect: " + std::to_string(ws::WSAGetLastError()));
        far = ws::accept(door, nullptr, nullptr);
        ws::closesocket(door);
    }

    ws::SOCKET near{};
    ws::SOCKET far{};
};

inline void check_fails(int result, int code)
{
    CHECK(result == ws::SOCKET_ERROR);
    CHECK(ws::WSAGetLastError() == code);
}

/// Whether an event is signalled, now or within so many milliseconds.
inline bool signalled(ws::WSAEVENT event, ws::DWORD limit_ms = 0)
{
    return ws::WSAWaitForMultipleEvents(1, &event, 0, limit_ms, 0) == ws::WSA_WAIT_EVENT_0;
}

/// The longest time that an event which will happen may take.
inline constexpr ws::DWORD patience_ms = 20'000;

} // namespace test
