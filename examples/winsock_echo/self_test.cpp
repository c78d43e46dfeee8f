// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "self_test.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int connections  = 8;
constexpr std::size_t much = 300'000; // more than buffers take at once

int connect_to(int port)
{
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port        = htons(static_cast<std::uint16_t>(port));
    return ::connect(s, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? s : -1;
}

void say(int s, const std::string& text)
{
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t sent = ::send(s, text.data() + done, text.size() - done, MSG_NOSIGNAL);
        if (sent <= 0) return;
        done += static_cast<std::size_t>(sent);
    }
}

std::string hear(int s, std::size_t size)
{
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::recv(s, text.data() + done, size - done, 0);
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
}

// A short word, a long speech that is heard while it is said, and a goodbye after which nothing comes.
bool echoes(int s, int number)
{
    const std::string word = "hello " + std::to_string(number);
    say(s, word);
    if (hear(s, word.size()) != word) return false;
    const std::string speech(much, static_cast<char>('a' + number));
    auto saying     = std::async(std::launch::async, [&] { say(s, speech); });
    const bool same = hear(s, much) == speech;
    saying.wait();
    ::shutdown(s, SHUT_WR);
    return same && hear(s, 1).empty();
}

int listening_port(std::FILE* server)
{
    char line[100];
    int port = 0;
    if (std::fgets(line, sizeof line, server) == nullptr || std::sscanf(line, "listening on port %d", &port) != 1) return 0;
    return port;
}

bool try_server(std::FILE* server)
{
    const int port = listening_port(server);
    std::vector<int> sockets;
    for (int i = 0; i < connections; ++i) // all are open at the same time
        sockets.push_back(connect_to(port));
    std::vector<std::future<bool>> results;
    for (int i = 0; i < connections; ++i)
        results.push_back(std::async(std::launch::async, echoes, sockets[static_cast<std::size_t>(i)], i));
    bool right = true;
    for (std::future<bool>& one : results)
        right = one.get() && right;
    for (const int s : sockets)
        ::close(s);
    return right;
}

} // namespace

int self_test(const char* program)
{
    // A segment of its own, without other processes; it has to be gone at the end.
    const std::string name = "winsock-echo-" + std::to_string(::getpid());
    ::setenv("SHAREDSOCK_WINSOCK_SEGMENT", name.c_str(), 1);

    const std::string command = "exec '" + std::string(program) + "' 0 " + std::to_string(connections);
    std::FILE* const server   = ::popen(command.c_str(), "re");
    if (server == nullptr) return 1;
    const bool echoed = try_server(server);
    char line[100]    = "";
    if (std::fgets(line, sizeof line, server) != nullptr) std::printf("server: %s", line);
    const bool ended = ::pclose(server) == 0;
    const bool left  = std::filesystem::exists("/dev/shm/sharedsock." + std::to_string(::getuid()) + "." + name);
    if (left) std::printf("the segment was left behind\n");
    if (!echoed || !ended || left) return 1;
    std::printf("All of it came back\n");
    return 0;
}
