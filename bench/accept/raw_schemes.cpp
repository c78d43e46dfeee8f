// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The schemes without a library: a shared listener in each worker's epoll, and a listener for each worker.
#include "accept/listener_each.hpp"

#include <cerrno>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace accept_bench {
namespace {

constexpr std::int32_t listener_ready = -1;

// One connection for each time that epoll says so: it is level-triggered, and says so again if more wait.
class listener_source final : public connection_source {
public:
    listener_source(int listener, std::uint32_t flags) : listener_(listener), flags_(flags) {}
    void start(server& to) override { to.watch(listener_, EPOLLIN | flags_, listener_ready); }
    void ready(server& to, std::int32_t) override
    {
        const int connection = accept_one(listener_);
        if (connection >= 0) to.begin(connection);
    }

private:
    const int listener_;
    const std::uint32_t flags_;
};

class shared_listener : public scheme {
public:
    explicit shared_listener(std::uint32_t flags) : flags_(flags) {}
    ~shared_listener() override { ::close(listener_); }
    std::uint16_t prepare(unsigned) override
    {
        listener_ = listen_somewhere(false);
        return port_of(listener_);
    }
    std::unique_ptr<connection_source> source(unsigned) override { return std::make_unique<listener_source>(listener_, flags_); }

private:
    const std::uint32_t flags_;
    int listener_ = -1;
};

class raw_beast final : public shared_listener {
public:
    raw_beast() : shared_listener(EPOLLEXCLUSIVE) {}
    std::unique_ptr<conversation> http() override { return make_beast_http(); }
};

class reuse_port final : public listener_each {
public:
    std::unique_ptr<connection_source> source(unsigned worker) override
    {
        return std::make_unique<listener_source>(take(worker), 0);
    }
};

// An epoll of the parent holds the listener, and each worker's own epoll holds that one.
class shared_epoll final : public scheme {
public:
    ~shared_epoll() override
    {
        ::close(listener_);
        ::close(epoll_);
    }
    std::uint16_t prepare(unsigned) override
    {
        listener_ = listen_somewhere(false);
        epoll_    = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{};
        event.events = EPOLLIN;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) fail("epoll_ctl");
        return port_of(listener_);
    }
    std::unique_ptr<connection_source> source(unsigned) override
    {
        class nested final : public connection_source {
        public:
            nested(int epoll, int listener) : epoll_(epoll), listener_(listener) {}
            void start(server& to) override { to.watch(epoll_, EPOLLIN, listener_ready); }
            void ready(server& to, std::int32_t) override
            {
                epoll_event event{};
                if (::epoll_wait(epoll_, &event, 1, 0) != 1) return;
                const int connection = accept_one(listener_);
                if (connection >= 0) to.begin(connection);
            }

        private:
            const int epoll_;
            const int listener_;
        };
        return std::make_unique<nested>(epoll_, listener_);
    }

private:
    int listener_ = -1;
    int epoll_    = -1;
};

} // namespace

int listen_somewhere(bool reuse_port, std::uint16_t port)
{
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on       = 1;
    sockaddr_in to{};
    to.sin_family      = AF_INET;
    to.sin_port        = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (reuse_port && ::setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        ::bind(listener, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 || ::listen(listener, 1024) != 0)
        fail("listen");
    return listener;
}

std::uint16_t port_of(int listener)
{
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) != 0) fail("getsockname");
    return ntohs(bound.sin_port);
}

int accept_one(int listener)
{
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) fail("accept4");
    return connection;
}

std::unique_ptr<scheme> make_shared_listener() { return std::make_unique<shared_listener>(0u); }
std::unique_ptr<scheme> make_exclusive() { return std::make_unique<shared_listener>(std::uint32_t{EPOLLEXCLUSIVE}); }
std::unique_ptr<scheme> make_raw_beast() { return std::make_unique<raw_beast>(); }
std::unique_ptr<scheme> make_reuse_port() { return std::make_unique<reuse_port>(); }
std::unique_ptr<scheme> make_shared_epoll() { return std::make_unique<shared_epoll>(); }

} // namespace accept_bench
