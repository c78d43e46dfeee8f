// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The programs in textbook/, as C11 and as C++20, with clients of the C library.
#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int patience_ms = 20'000;

std::string read_some(int descriptor)
{
    pollfd one{descriptor, POLLIN, 0};
    if (::poll(&one, 1, patience_ms) != 1) throw std::runtime_error("nothing came in time");
    char room[512];
    const ssize_t got = ::read(descriptor, room, sizeof room);
    return {room, got > 0 ? static_cast<std::size_t>(got) : 0};
}

// One of the programs, in a segment of its own; it has printed its port, if it is a server.
class textbook_program {
public:
    textbook_program(const std::string& name, int argument)
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        const std::string path = std::string(SHAREDSOCK_TEXTBOOK) + "/" + name, count = std::to_string(argument);
        const std::string segment = "SHAREDSOCK_WINSOCK_SEGMENT=" + test::unique_name();
        std::vector<std::string> words{path, count};
        char* arguments[]   = {words[0].data(), words[1].data(), nullptr};
        std::string setting = segment;
        char* environment[] = {setting.data(), nullptr};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        const int failed = ::posix_spawn(&pid_, path.c_str(), &actions, nullptr, arguments, environment);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        if (failed != 0) throw std::runtime_error("cannot start " + path);
        port_ = static_cast<in_port_t>(std::atoi(read_some(ends[0]).c_str()));
        ::close(ends[0]);
    }
    ~textbook_program()
    {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    textbook_program(const textbook_program&)            = delete;
    textbook_program& operator=(const textbook_program&) = delete;

    // A client: connected to the program.
    int connect(int type) const
    {
        const int s = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family      = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port        = htons(port_);
        if (::connect(s, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("connect");
        return s;
    }

    int port() const noexcept { return port_; }

    int wait() // its exit code
    {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t pid_      = -1;
    in_port_t port_ = 0;
};

void say(int s, const std::string& text) { REQUIRE(::write(s, text.data(), text.size()) == static_cast<ssize_t>(text.size())); }

std::string hear(int s, std::size_t size)
{
    std::string all;
    while (all.size() < size) {
        const std::string some = read_some(s);
        if (some.empty()) break;
        all += some;
    }
    return all;
}

// Clients at the same time, each with several lines, or one after the other.
void check_echo(const std::string& name, bool at_once)
{
    INFO(name);
    constexpr int clients = 5;
    textbook_program server(name, clients);
    std::vector<int> ends;
    for (int i = 0; i < clients; ++i) {
        ends.push_back(server.connect(SOCK_STREAM));
        if (at_once) continue;
        say(ends.back(), "hello");
        CHECK(hear(ends.back(), 5) == "hello");
        ::close(ends.back());
    }
    for (int round = 0; at_once && round < 3; ++round) {
        for (int i = 0; i < clients; ++i)
            say(ends[static_cast<std::size_t>(i)], "line " + std::to_string(i));
        for (int i = 0; i < clients; ++i)
            CHECK(hear(ends[static_cast<std::size_t>(i)], 6) == "line " + std::to_string(i));
    }
    for (int i = 0; at_once && i < clients; ++i)
        ::close(ends[static_cast<std::size_t>(i)]);
    CHECK(server.wait() == 0);
}

} // namespace

TEST_CASE("a textbook's echo servers with select, WSAEventSelect and WSAPoll serve real clients, as C11 and as C++20", "[winsock]")
{
    for (const char* const name : {"select_echo", "event_server", "poll_server"})
        for (const char* const language : {"_c", "_cpp"})
            check_echo(std::string(name) + language, true);
}

TEST_CASE("a textbook's WSADuplicateSocket pair serves real clients, as C11 and as C++20", "[winsock]")
{
    for (const char* const language : {"_c", "_cpp"})
        check_echo(std::string("duplicate_pair") + language, false);
}

TEST_CASE("a textbook's WSAAsyncSelect client talks to a textbook's server, as C11 and as C++20", "[winsock]")
{
    for (const char* const language : {"_c", "_cpp"}) {
        INFO(language);
        textbook_program server(std::string("select_echo") + language, 1);
        textbook_program client(std::string("async_client") + language, server.port());
        CHECK(client.wait() == 0);
        CHECK(server.wait() == 0);
    }
}

TEST_CASE("a textbook's UDP chat passes on what each member says, as C11 and as C++20", "[winsock]")
{
    for (const char* const language : {"_c", "_cpp"}) {
        INFO(language);
        textbook_program chat(std::string("udp_chat") + language, 3);
        std::vector<int> members;
        for (int i = 0; i < 3; ++i) {
            members.push_back(chat.connect(SOCK_DGRAM));
            say(members.back(), "I am " + std::to_string(i));
            for (int other = 0; other < i; ++other)
                CHECK(read_some(members[static_cast<std::size_t>(other)]) == "I am " + std::to_string(i));
        }
        for (const int member : members)
            say(member, "bye");
        CHECK(chat.wait() == 0);
        for (const int member : members)
            ::close(member);
    }
}
