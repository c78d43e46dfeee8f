/* An echo server with select: serves until so many clients have gone. */
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
    SOCKET listener;
    struct sockaddr_in address;
    int size        = sizeof(address);
    int still_going = argc > 1 ? atoi(argv[1]) : 1;
    fd_set all;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (listener == INVALID_SOCKET) die("socket");
    memset(&address, 0, sizeof(address));
    address.sin_family           = AF_INET;
    address.sin_addr.S_un.S_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (SOCKADDR*)&address, sizeof(address)) == SOCKET_ERROR) die("bind");
    if (listen(listener, SOMAXCONN) == SOCKET_ERROR) die("listen");
    if (getsockname(listener, (SOCKADDR*)&address, &size) == SOCKET_ERROR) die("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    FD_ZERO(&all);
    FD_SET(listener, &all);
    while (still_going > 0) {
        fd_set ready = all;
        u_int i;
        if (select(0, &ready, NULL, NULL, NULL) == SOCKET_ERROR) die("select");
        for (i = 0; i < ready.fd_count; ++i) {
            SOCKET s = ready.fd_array[i];
            char buffer[512];
            int got;
            if (s == listener) {
                SOCKET client = accept(listener, NULL, NULL);
                if (client == INVALID_SOCKET) die("accept");
                FD_SET(client, &all);
                continue;
            }
            got = recv(s, buffer, sizeof(buffer), 0);
            if (got > 0) {
                if (send(s, buffer, got, 0) != got) die("send");
                continue;
            }
            FD_CLR(s, &all);
            closesocket(s);
            --still_going;
        }
    }
    closesocket(listener);
    return WSACleanup();
}
