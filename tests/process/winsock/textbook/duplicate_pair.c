/* A server that gives each connection to a second process of the same program, which echoes. The two talk over pipes. */
#include <sharedsock/winsock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void die(const char* call)
{
    fprintf(stderr, "%s failed: %d\n", call, WSAGetLastError());
    exit(1);
}

/* The second process: takes one WSAPROTOCOL_INFO after the other. */
static int serve(int infos)
{
    WSADATA data;
    WSAPROTOCOL_INFO info;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    while (read(infos, &info, sizeof(info)) == (int)sizeof(info)) {
        char buffer[512];
        int got;
        SOCKET s = WSASocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
        if (s == INVALID_SOCKET) die("WSASocket");
        while ((got = recv(s, buffer, sizeof(buffer), 0)) > 0)
            send(s, buffer, got, 0);
        closesocket(s);
    }
    return WSACleanup();
}

int main(int argc, char** argv)
{
    WSADATA data;
    SOCKET listener;
    SOCKADDR_IN address;
    int size     = sizeof(address);
    int expected = argc > 1 ? atoi(argv[1]) : 1;
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0) return 1; /* CreateProcess and CreatePipe, on Windows */
    child = fork();
    if (child == 0) {
        close(ends[1]);
        return serve(ends[0]);
    }
    close(ends[0]);

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (SOCKADDR*)&address, sizeof(address)) != 0) die("bind");
    if (listen(listener, 5) != 0) die("listen");
    getsockname(listener, (SOCKADDR*)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    while (expected-- > 0) {
        WSAPROTOCOL_INFO info;
        SOCKET client = accept(listener, NULL, NULL);
        if (client == INVALID_SOCKET) die("accept");
        if (WSADuplicateSocket(client, (DWORD)child, &info) != 0) die("WSADuplicateSocket");
        if (write(ends[1], &info, sizeof(info)) != (int)sizeof(info)) return 1;
        closesocket(client);
    }
    close(ends[1]);
    if (waitpid(child, &size, 0) != child || size != 0) return 1;
    closesocket(listener);
    return WSACleanup();
}
