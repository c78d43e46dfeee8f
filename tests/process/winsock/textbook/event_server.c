/* An echo server with WSAEventSelect: serves until so many clients have gone. */
#include <sharedsock/winsock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char* call)
{
    fprintf(stderr, "%s failed: %d\n", call, WSAGetLastError());
    exit(1);
}

int main(int argc, char** argv)
{
    WSADATA data;
    SOCKET sockets[WSA_MAXIMUM_WAIT_EVENTS];
    WSAEVENT events[WSA_MAXIMUM_WAIT_EVENTS];
    DWORD count = 0;
    struct sockaddr_in address;
    int size        = sizeof(address);
    int still_going = argc > 1 ? atoi(argv[1]) : 1;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    sockets[0] = WSASocket(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (sockets[0] == INVALID_SOCKET) die("WSASocket");
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (bind(sockets[0], (LPSOCKADDR)&address, sizeof(address)) != 0) die("bind");
    if (listen(sockets[0], 5) != 0) die("listen");
    getsockname(sockets[0], (LPSOCKADDR)&address, &size);
    events[0] = WSACreateEvent();
    if (events[0] == WSA_INVALID_EVENT) die("WSACreateEvent");
    if (WSAEventSelect(sockets[0], events[0], FD_ACCEPT | FD_CLOSE) == SOCKET_ERROR) die("WSAEventSelect");
    count = 1;
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);

    while (still_going > 0) {
        WSANETWORKEVENTS happened;
        DWORD i = WSAWaitForMultipleEvents(count, events, FALSE, WSA_INFINITE, FALSE);
        if (i == WSA_WAIT_FAILED) die("WSAWaitForMultipleEvents");
        i -= WSA_WAIT_EVENT_0;
        if (WSAEnumNetworkEvents(sockets[i], events[i], &happened) == SOCKET_ERROR) die("WSAEnumNetworkEvents");
        if (happened.lNetworkEvents & FD_ACCEPT) {
            SOCKET client = accept(sockets[i], NULL, NULL);
            if (client == INVALID_SOCKET) continue;
            sockets[count] = client;
            events[count]  = WSACreateEvent();
            if (WSAEventSelect(client, events[count], FD_READ | FD_CLOSE) == SOCKET_ERROR) die("WSAEventSelect");
            ++count;
        }
        if (happened.lNetworkEvents & FD_READ) {
            char buffer[512];
            int got;
            while ((got = recv(sockets[i], buffer, sizeof(buffer), 0)) > 0)
                send(sockets[i], buffer, got, 0);
        }
        if (happened.lNetworkEvents & FD_CLOSE) {
            closesocket(sockets[i]);
            WSACloseEvent(events[i]);
            --count;
            sockets[i] = sockets[count];
            events[i]  = events[count];
            --still_going;
        }
    }
    closesocket(sockets[0]);
    WSACloseEvent(events[0]);
    return WSACleanup();
}
