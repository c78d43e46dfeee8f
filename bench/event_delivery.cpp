// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The full turn of an event loop for one event: a byte arrives, the loop learns of it, the byte is read.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>

#include <sys/epoll.h>

namespace bench {
namespace {

namespace asio = boost::asio;

constexpr ss::network_event mask = ss::network_event::read | ss::network_event::close;

void arrive(int far)
{
    const std::byte one{1};
    checked(::send(far, &one, 1, MSG_NOSIGNAL), "send");
}

template <pair_of_sockets (*Pair)()>
class epoll_turn {
public:
    static constexpr int batch = 16;

    epoll_turn()
    {
        epoll_event wanted{};
        wanted.events = EPOLLIN | EPOLLRDHUP;
        checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ends_.near.get(), &wanted), "epoll_ctl");
    }
    void step(int)
    {
        arrive(ends_.far.get());
        epoll_event happened{};
        checked(::epoll_wait(epoll_.get(), &happened, 1, -1), "epoll_wait");
        checked(::recv(ends_.near.get(), room_.data(), room_.size(), 0), "recv");
    }

private:
    unique_fd epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    pair_of_sockets ends_ = Pair();
    std::array<std::byte, 64> room_{};
};

template <pair_of_sockets (*Pair)()>
class event_object_turn {
public:
    static constexpr int batch = 16;

    event_object_turn() { near_.event_select(ready_, mask); }
    void step(int)
    {
        arrive(ends_.far.get());
        ready_.wait();
        if (!near_.enum_network_events(ready_).has(ss::network_event::read)) throw std::runtime_error("no READ");
        near_.receive(room_);
    }

private:
    ss::segment where_      = ss::segment::create_unnamed();
    pair_of_sockets ends_   = Pair();
    ss::shared_socket near_ = adopt(where_, std::move(ends_.near));
    ss::event_object ready_;
    std::array<std::byte, 64> room_{};
};

template <pair_of_sockets (*Pair)()>
class async_wait_turn {
public:
    static constexpr int batch = 16;

    async_wait_turn() : near_(io_, ends_.near.release()) { wait(); }
    void step(int)
    {
        arrive(ends_.far.get());
        for (done_ = false; !done_;)
            io_.run_one();
    }

private:
    void wait()
    {
        near_.async_wait(near_.wait_read, [this](const ss::error_code& ec) {
            if (ec) return;
            checked(::recv(near_.native_handle(), room_.data(), room_.size(), 0), "recv");
            done_ = true;
            wait();
        });
    }

    asio::io_context io_{1};
    pair_of_sockets ends_ = Pair();
    asio::posix::stream_descriptor near_;
    std::array<std::byte, 64> room_{};
    bool done_ = false;
};

template <pair_of_sockets (*Pair)()>
class async_select_turn {
public:
    static constexpr int batch = 16;

    async_select_turn()
    {
        ss::async_select(
            near_, io_.get_executor(),
            [this](const ss::event_message& message) {
                if (message.event != ss::network_event::read) return;
                near_.receive(room_);
                done_ = true;
            },
            mask);
    }
    void step(int)
    {
        arrive(ends_.far.get());
        for (done_ = false; !done_;)
            io_.run_one();
    }

private:
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    ss::segment where_      = ss::segment::create_unnamed();
    pair_of_sockets ends_   = Pair();
    ss::shared_socket near_ = adopt(where_, std::move(ends_.near));
    std::array<std::byte, 64> room_{};
    bool done_ = false;
};

} // namespace

void add_event_delivery(comparisons& all)
{
    // Beside the best that an executor can do: a bare loop is faster than Asio's own wait by more than that (README.md).
    const goal one_event{.ratio = 1.05, .nanoseconds = {}, .extra_instructions = {}, .extra_calls = {}};
    all.push_back(compare<epoll_turn<unix_pair>, event_object_turn<unix_pair>>("event: event_select / epoll", {}));
    all.push_back(compare<epoll_turn<tcp_pair>, event_object_turn<tcp_pair>>("event: event_select / epoll, TCP", {}));
    all.push_back(compare<epoll_turn<tcp_pair>, async_select_turn<tcp_pair>>("event: async_select / epoll, TCP", {}));
    all.push_back(compare<epoll_turn<tcp_pair>, async_wait_turn<tcp_pair>>("event: Asio's own / epoll, TCP", {}));
    all.push_back(compare<async_wait_turn<tcp_pair>, async_select_turn<tcp_pair>>("event: async_select / Asio, TCP", one_event));
    all.push_back(compare<async_wait_turn<unix_pair>, async_select_turn<unix_pair>>("event: async_select / Asio", one_event));
}

} // namespace bench
