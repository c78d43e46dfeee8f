// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include "echo_loop.hpp"
#include "net.hpp"
#include "process.hpp"

#include <cstdio>
#include <cstring>

namespace {

int failed(const char* what)
{
    std::fprintf(stderr, "%s failed: %d\n", what, WSAGetLastError());
    return 1;
}

SOCKET open_listener(unsigned short port)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (listener == INVALID_SOCKET) return listener;

    struct sockaddr_in address;
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port        = htons(port);
    if (bind(listener, (struct sockaddr*)&address, sizeof(address)) == SOCKET_ERROR ||
        listen(listener, SOMAXCONN) == SOCKET_ERROR) {
        closesocket(listener);
        return INVALID_SOCKET;
    }
    return listener;
}

unsigned short port_of(SOCKET listener)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    if (getsockname(listener, (struct sockaddr*)&address, &size) == SOCKET_ERROR) return 0;
    return ntohs(address.sin_port);
}

// The child gets a handle of its own, by a message from which it makes one; this process's handle is not needed any more.
bool hand_over(SOCKET connection, child_process& child)
{
    WSAPROTOCOL_INFO info;
    bool given = WSADuplicateSocket(connection, static_cast<DWORD>(child.id()), &info) == 0;
    if (!given) failed("WSADuplicateSocket");
    given = given && child.write(&info, sizeof(info));
    closesocket(connection);
    return given;
}

int serve(SOCKET listener, child_process& child, int connections)
{
    echo_loop loop;
    int accepted = 0, given = 0;
    const auto accept_one = [&] {
        const SOCKET connection = accept(listener, NULL, NULL);
        if (connection == INVALID_SOCKET) return; // the connection was gone again
        ++accepted;
        if (accepted % 2 == 0 || loop.full()) {
            if (hand_over(connection, child)) ++given;
        } else if (!loop.serve(connection)) {
            closesocket(connection);
        }
    };
    if (!loop.listen_to(listener, accept_one)) return failed("WSAEventSelect");
    const auto wanted = [&] { return connections == 0 || accepted < connections || loop.open_connections() > 0; };
    if (!loop.run(wanted)) return failed("WSAWaitForMultipleEvents");

    const int served = child.finish();
    std::printf("%d connections: %d served here, %d by the child\n", accepted, accepted - given, given);
    return served == given % 256 ? 0 : 1; // an exit code is a byte
}

} // namespace

int run_server(const char* program, unsigned short port, int connections)
{
    WSADATA data;
    const int error = WSAStartup(MAKEWORD(2, 2), &data);
    if (error != 0) {
        std::fprintf(stderr, "WSAStartup failed: %d\n", error);
        return 1;
    }
    int result            = 1;
    const SOCKET listener = open_listener(port);
    if (listener == INVALID_SOCKET) {
        failed("listening");
    } else {
        child_process child;
        if (child.start(program, "--worker")) {
            std::printf("listening on port %d\n", port_of(listener));
            std::fflush(stdout);
            result = serve(listener, child, connections);
        }
        closesocket(listener);
    }
    WSACleanup();
    return result;
}
