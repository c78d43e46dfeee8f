/* A client with WSAAsyncSelect: sends some lines to an echo server, each when the one before has come back. */
#include <sharedsock/winsock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WM_SOCKET (0x0400 + 1) /* WM_USER + 1 */

enum { lines = 5 };

static int sent, received, done;
static const char line[] = "a line of text\n";

static void fail(const char* what, int error)
{
    fprintf(stderr, "%s: %d\n", what, error);
    exit(1);
}

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM wParam, LPARAM lParam)
{
    char buffer[512];
    int got;
    const int size = (int)sizeof(line) - 1;

    (void)window;
    if (message != WM_SOCKET) return 0;
    if (WSAGETSELECTERROR(lParam) != 0) fail("message", WSAGETSELECTERROR(lParam));
    switch (WSAGETSELECTEVENT(lParam)) {
    case FD_CONNECT:
        break;
    case FD_WRITE:
        if (send(wParam, line, size, 0) != size) fail("send", WSAGetLastError());
        sent = 1;
        break;
    case FD_READ:
        got = recv(wParam, buffer, sizeof(buffer), 0);
        if (got == SOCKET_ERROR && WSAGetLastError() != WSAEWOULDBLOCK) fail("recv", WSAGetLastError());
        if (got > 0) received += got;
        if (received < sent * size) break;
        if (sent == lines) {
            shutdown(wParam, SD_SEND);
        } else if (send(wParam, line, size, 0) == size) {
            ++sent;
        }
        break;
    case FD_CLOSE:
        closesocket(wParam);
        done = 1;
        break;
    }
    return 0;
}

int main(int argc, char** argv)
{
    WSADATA data;
    SOCKET s;
    SOCKADDR_IN address;
    HWND window;

    printf("-\n");
    fflush(stdout);
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    window = sharedsock_winsock_open_window(procedure); /* CreateWindow, on Windows */
    s      = socket(AF_INET, SOCK_STREAM, 0);
    if (window == NULL || s == INVALID_SOCKET) fail("socket", WSAGetLastError());
    if (WSAAsyncSelect(s, window, WM_SOCKET, FD_CONNECT | FD_READ | FD_WRITE | FD_CLOSE) != 0)
        fail("WSAAsyncSelect", WSAGetLastError());
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_port        = htons((u_short)(argc > 1 ? atoi(argv[1]) : 7));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s, (SOCKADDR*)&address, sizeof(address)) == SOCKET_ERROR && WSAGetLastError() != WSAEWOULDBLOCK)
        fail("connect", WSAGetLastError());
    while (!done)
        sharedsock_winsock_dispatch_message(-1); /* GetMessage and DispatchMessage */
    if (received != lines * (int)(sizeof(line) - 1)) return 1;
    return WSACleanup();
}
