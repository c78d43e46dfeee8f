#include <sharedsock/winsock.hpp>

#include <iostream>

#include <sys/socket.h>

int main()
{
    const SOCKET s   = socket(AF_INET, SOCK_STREAM, 0);
    const bool right = s == INVALID_SOCKET && WSAGetLastError() == WSANOTINITIALISED;
    std::cout << (right ? "ok" : "a socket before WSAStartup") << '\n';
    return right ? 0 : 1;
}
