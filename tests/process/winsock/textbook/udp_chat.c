/* A chat over UDP: sends what one member says to all others, until so many members have said "bye". */
#include <sharedsock/winsock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most = 16 };

int main(int argc, char** argv)
{
    WSADATA data;
    SOCKET s;
    SOCKADDR_IN members[most], from;
    int count = 0, i, gone = 0;
    int size     = sizeof(from);
    int expected = argc > 1 ? atoi(argv[1]) : 1;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    s = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    memset(&from, 0, sizeof(from));
    from.sin_family      = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (SOCKADDR*)&from, sizeof(from)) == SOCKET_ERROR) return 1;
    getsockname(s, (SOCKADDR*)&from, &size);
    printf("%d\n", ntohs(from.sin_port));
    fflush(stdout);

    while (gone < expected) {
        char text[512];
        int got;
        size = sizeof(from);
        got  = recvfrom(s, text, sizeof(text), 0, (SOCKADDR*)&from, &size);
        if (got == SOCKET_ERROR) {
            if (WSAGetLastError() == WSAECONNRESET) continue;
            return 1;
        }
        for (i = 0; i < count; ++i)
            if (members[i].sin_port == from.sin_port) break;
        if (i == count && count < most) members[count++] = from;
        if (got == 3 && memcmp(text, "bye", 3) == 0) ++gone;
        for (i = 0; i < count; ++i)
            if (members[i].sin_port != from.sin_port) sendto(s, text, got, 0, (SOCKADDR*)&members[i], sizeof(members[i]));
    }
    closesocket(s);
    return WSACleanup();
}
