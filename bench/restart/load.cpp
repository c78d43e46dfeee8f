// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The load of bench/restart.sh: connections that are kept as long as the server keeps them, and connections of one request each, until
// SIGTERM. It prints one line:
//
//     requests N lost N broken N ended N refused N worst_us N silence_us N
//
// lost: sent, and not answered. broken: kept connections that ended without an announcement. ended: those that the server announced
// ("Connection: close"). refused: connects that failed. worst: the slowest answer, a connect included. silence: the longest time
// without any answer.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using steady = std::chrono::steady_clock;

constexpr auto patience        = std::chrono::seconds(10);
constexpr std::string_view ask = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::system_category(), what); }

struct client {
    bool is_kept = true;
    int socket   = -1;
    bool waits   = false; // for an answer
    steady::time_point since;
    std::string answer;
};

// The bytes of the first answer; 0: it is not whole.
std::size_t whole(const std::string& text)
{
    const auto head = text.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    for (const char* const name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        const auto length = text.find(name);
        if (length == std::string::npos || length > head) continue;
        const std::size_t all = head + 4 + std::strtoul(text.c_str() + length + std::string_view(name).size(), nullptr, 10);
        return text.size() >= all ? all : 0;
    }
    return 0;
}

bool announces_end(const std::string& text)
{
    return text.find("\r\nConnection: close\r\n") != std::string::npos ||
           text.find("\r\nconnection: close\r\n") != std::string::npos;
}

class load {
public:
    load(std::uint16_t port, std::size_t kept, std::size_t fresh) : clients_(kept + fresh), epoll_(::epoll_create1(EPOLL_CLOEXEC))
    {
        to_.sin_family      = AF_INET;
        to_.sin_port        = htons(port);
        to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (std::size_t i = kept; i < clients_.size(); ++i)
            clients_[i].is_kept = false;
        sigset_t which;
        sigemptyset(&which);
        sigaddset(&which, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &which, nullptr);
        signals_ = ::signalfd(-1, &which, SFD_CLOEXEC | SFD_NONBLOCK);
        if (epoll_ < 0 || signals_ < 0) fail("the load's descriptors");
        watch(signals_, clients_.size());
    }

    void run()
    {
        last_answer_ = steady::now();
        for (client& one : clients_)
            begin(one);
        auto checked = steady::now();
        while (!ends_ || waiting() != 0) {
            std::array<epoll_event, 64> found{};
            const int count = ::epoll_wait(epoll_, found.data(), static_cast<int>(found.size()), 1'000);
            for (int i = 0; i < count; ++i) {
                if (found[static_cast<std::size_t>(i)].data.u64 == clients_.size()) {
                    ends_ = true;
                    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, signals_, nullptr);
                } else {
                    receive(clients_[found[static_cast<std::size_t>(i)].data.u64]);
                }
            }
            if (steady::now() - checked > std::chrono::seconds(1)) look_for_lost(checked = steady::now());
        }
        std::printf("requests %lu lost %lu broken %lu ended %lu refused %lu worst_us %ld silence_us %ld\n", requests_, lost_,
                    broken_, ended_, refused_, static_cast<long>(worst_.count()), static_cast<long>(silence_.count()));
    }

private:
    void watch(int descriptor, std::size_t place)
    {
        epoll_event wanted{};
        wanted.events   = EPOLLIN;
        wanted.data.u64 = place;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &wanted) != 0) fail("epoll_ctl");
    }
    std::size_t waiting() const
    {
        return static_cast<std::size_t>(std::ranges::count_if(clients_, [](const client& one) { return one.waits; }));
    }

    // Loopback: connect(2) is done, or refused, at once.
    void begin(client& one)
    {
        if (ends_) return;
        one.since = steady::now();
        while (one.socket < 0) {
            one.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (one.socket < 0) fail("socket");
            if (::connect(one.socket, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) == 0) {
                watch(one.socket, static_cast<std::size_t>(&one - clients_.data()));
                break;
            }
            ++refused_;
            ::close(one.socket);
            one.socket = -1;
            if (refused_ % 1'000 == 0 && steady::now() - last_answer_ > patience) throw std::runtime_error("the server has gone");
        }
        send(one);
    }
    void send(client& one)
    {
        one.waits = true;
        if (::send(one.socket, ask.data(), ask.size(), MSG_NOSIGNAL) < 0) lose(one);
    }

    void receive(client& one)
    {
        std::array<char, 4096> room{};
        const ssize_t got = ::recv(one.socket, room.data(), room.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) return lose(one);
        one.answer.append(room.data(), static_cast<std::size_t>(got));
        const std::size_t size = whole(one.answer);
        if (size == 0) return;
        const bool is_last = announces_end(one.answer);
        one.answer.erase(0, size);
        one.waits      = false;
        const auto now = steady::now();
        worst_         = std::max(worst_, std::chrono::duration_cast<std::chrono::microseconds>(now - one.since));
        silence_       = std::max(silence_, std::chrono::duration_cast<std::chrono::microseconds>(now - last_answer_));
        last_answer_   = now;
        ++requests_;
        if (one.is_kept && !is_last) {
            one.since = now;
            if (!ends_) send(one);
            return;
        }
        if (one.is_kept) ++ended_;
        close(one);
        begin(one);
    }
    void lose(client& one)
    {
        if (one.waits) ++lost_;
        if (one.is_kept) ++broken_;
        close(one);
        begin(one);
    }
    void close(client& one)
    {
        ::close(std::exchange(one.socket, -1)); // takes it out of the epoll
        one.answer.clear();
        one.waits = false;
    }
    void look_for_lost(steady::time_point now)
    {
        for (client& one : clients_)
            if (one.waits && now - one.since > patience) lose(one);
    }

    std::vector<client> clients_;
    int epoll_   = -1;
    int signals_ = -1;
    sockaddr_in to_{};
    bool ends_              = false;
    unsigned long requests_ = 0, lost_ = 0, broken_ = 0, ended_ = 0, refused_ = 0;
    std::chrono::microseconds worst_{0}, silence_{0};
    steady::time_point last_answer_;
};

} // namespace

int main(int count, char** words)
try {
    if (count != 4) {
        std::fputs("restart_load PORT KEPT FRESH\n", stderr);
        return 2;
    }
    load(static_cast<std::uint16_t>(std::stoul(words[1])), std::stoul(words[2]), std::stoul(words[3])).run();
    return 0;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "restart_load: %s\n", failure.what());
    return 1;
}
