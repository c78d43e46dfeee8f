/* An echo server with WSAPoll: serves until so many clients have gone. */
#include <sharedsock/winsock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most = 32 };

static void die(const char* call)
{
    fprintf(stderr, "%s failed: %d\n", call, WSAGetLastError());
    exit(1);
}

int main(int argc, char** argv)
{
    WSADATA data;
    WSAPOLLFD entries[most];
    ULONG count = 1, i;
    SOCKADDR_INET address;
    char text[64];
    DWORD text_size = sizeof(text);
    int size        = sizeof(address);
    int still_going = argc > 1 ? atoi(argv[1]) : 1;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    memset(&address, 0, sizeof(address));
    address.si_family = AF_INET;
    INETADDR_SETLOOPBACK((SOCKADDR*)&address);
    entries[0].fd     = socket(AF_INET, SOCK_STREAM, 0);
    entries[0].events = POLLIN;
    if (entries[0].fd == INVALID_SOCKET) die("socket");
    if (bind(entries[0].fd, (SOCKADDR*)&address, sizeof(address.Ipv4)) != 0) die("bind");
    if (listen(entries[0].fd, 5) != 0) die("listen");
    getsockname(entries[0].fd, (SOCKADDR*)&address, &size);
    if (WSAAddressToString((SOCKADDR*)&address, (DWORD)size, NULL, text, &text_size) != 0) die("WSAAddressToString");
    printf("%s\n", strchr(text, ':') + 1);
    fflush(stdout);

    while (still_going > 0) {
        if (WSAPoll(entries, count, -1) == SOCKET_ERROR) die("WSAPoll");
        for (i = count; i-- > 0;) {
            char buffer[512];
            int got;
            if (entries[i].revents == 0) continue;
            if (i == 0) {
                if (count == most) continue;
                entries[count].fd      = accept(entries[0].fd, NULL, NULL);
                entries[count].events  = POLLIN;
                entries[count].revents = 0;
                ++count;
                continue;
            }
            got = recv(entries[i].fd, buffer, sizeof(buffer), 0);
            if (got > 0) {
                send(entries[i].fd, buffer, got, 0);
                continue;
            }
            closesocket(entries[i].fd);
            entries[i] = entries[--count];
            --still_going;
        }
    }
    closesocket(entries[0].fd);
    return WSACleanup();
}
