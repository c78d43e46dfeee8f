// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One UDP socket, three processes, one reader at a time. A sender that knows nothing of this sends numbered datagrams without
// a pause while the processes take the socket over from each other ten times. Each datagram is handled once, and none that was
// sent after a take-over is handled by the former reader.
#include "support/child.hpp"
#include "support/own_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using play::require;

constexpr std::uint32_t take_overs    = 10;
constexpr std::uint32_t between       = 1'000; // datagrams
constexpr std::uint32_t ahead         = 100;   // of their answers: the most that lie in the socket's buffer
constexpr std::uint32_t process_count = 3;

/// The reader's answer to a datagram.
struct answer {
    std::uint32_t number;
    std::uint32_t reader;
};

// --- the readers ------------------------------------------------------------------------------------------------------

/// Handles datagrams for as long as this process owns them.
asio::awaitable<void> read_datagrams(ss::datagram& socket, std::uint32_t self)
{
    for (;;) {
        std::uint32_t number = 0;
        ss::socket_address sender;
        const auto [ec, size] =
            co_await socket.async_receive_from(asio::buffer(&number, sizeof number), sender, asio::as_tuple(asio::use_awaitable));
        if (ec == ss::errc::registration_cancelled) co_return; // another process reads now
        if (ec == asio::error::operation_aborted) co_return;   // this process has closed it
        if (ec) throw ss::system_error(ec, "receive");
        // Datagrams received before the loss are still this process's to handle, and an answer needs no ownership: it is a call
        // of the user's.
        const answer reply{number, self};
        socket.send_to(asio::buffer(&reply, sizeof reply), sender);
    }
}

/// Takes the socket over at each byte that comes through `orders`, and says so with a byte, until the end.
asio::awaitable<void> obey(asio::posix::stream_descriptor& orders, ss::datagram& socket, std::uint32_t self)
{
    char byte = 0;
    for (;;) {
        const auto [ended, size] = co_await orders.async_read_some(asio::buffer(&byte, 1), asio::as_tuple(asio::use_awaitable));
        if (ended) break;
        ss::error_code ec;
        socket.take_over(ec);
        // The former reader may be stopped in the middle of a datagram; then this one's reading waits until that has ended.
        if (ec && ec != ss::errc::fence_pending) throw ss::system_error(ec, "take_over");
        asio::co_spawn(co_await asio::this_coro::executor, read_datagrams(socket, self), [](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
        });
        co_await orders.async_write_some(asio::buffer(&byte, 1), asio::use_awaitable);
    }
    socket.close();
}

class reader {
public:
    reader(ss::shared_socket& socket, std::uint32_t self)
        : ends_(make_pair()), process_([&] {
              ::close(ends_[0]);
              asio::io_context io(1);
              asio::posix::stream_descriptor orders(io, ends_[1]);
              ss::datagram here(io, std::move(socket));
              asio::co_spawn(io, obey(orders, here, self), [](std::exception_ptr failure) {
                  if (failure) std::rethrow_exception(failure);
              });
              io.run();
              return 0;
          })
    {
        ::close(ends_[1]);
    }

    void order_take_over() const { require(::send(ends_[0], "t", 1, MSG_NOSIGNAL) == 1, "the readers live"); }
    int done() const noexcept { return ends_[0]; }
    void took_over() const
    {
        char byte;
        require(::recv(ends_[0], &byte, 1, 0) == 1, "a reader takes over when it is told to");
    }
    int end()
    {
        ::shutdown(ends_[0], SHUT_RDWR); // a close would not do: the readers that came later have copies
        ::close(ends_[0]);
        return process_.wait();
    }

private:
    static std::array<int, 2> make_pair()
    {
        std::array<int, 2> ends;
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "there are socket pairs");
        return ends;
    }

    std::array<int, 2> ends_;
    play::child process_;
};

// --- the sender -------------------------------------------------------------------------------------------------------

class sender {
public:
    explicit sender(const ss::socket_address& to)
    {
        require(::connect(socket_, to.data(), to.size()) == 0, "there is such an address");
    }
    ~sender() { ::close(socket_); }
    sender(const sender&)            = delete;
    sender& operator=(const sender&) = delete;

    void send(std::uint32_t count)
    {
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint32_t number = next();
            handled_by_.push_back(nobody);
            require(::send(socket_, &number, sizeof number, 0) == sizeof number, "datagrams can be sent");
            while (next() - answered_ >= ahead)
                hear();
        }
    }
    void send_until_readable(int descriptor)
    {
        pollfd asked{descriptor, POLLIN, 0};
        while (::poll(&asked, 1, 0) == 0)
            send(1);
    }
    void hear_all()
    {
        while (answered_ < next())
            hear();
        char byte;
        require(::recv(socket_, &byte, 1, MSG_DONTWAIT) < 0, "nothing is answered twice");
    }

    std::uint32_t next() const noexcept { return static_cast<std::uint32_t>(handled_by_.size()); }
    std::uint32_t handled_by(std::uint32_t number) const { return handled_by_.at(number); }

private:
    static constexpr std::uint32_t nobody = ~0u;

    void hear()
    {
        pollfd answers{socket_, POLLIN, 0};
        answer one{};
        require(::poll(&answers, 1, 10'000) == 1 && ::recv(socket_, &one, sizeof one, 0) == sizeof one,
                "every datagram is handled");
        require(one.number < next() && std::exchange(handled_by_[one.number], one.reader) == nobody,
                "no datagram is handled twice");
        ++answered_;
    }

    const int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    std::vector<std::uint32_t> handled_by_;
    std::uint32_t answered_ = 0;
};

void run(const ss::segment& segment)
{
    auto socket = ss::shared_socket::open(segment, AF_INET, SOCK_DGRAM);
    socket.bind(ss::socket_address::loopback(0));
    std::vector<reader> readers;
    for (std::uint32_t i = 0; i < process_count; ++i)
        readers.emplace_back(socket, i);

    readers[0].order_take_over();
    readers[0].took_over();
    sender numbers(socket.local_address());
    std::vector<std::uint32_t> since{0}; // the first datagram after each take-over
    for (std::uint32_t k = 1; k <= take_overs; ++k) {
        numbers.send(between);
        readers[k % process_count].order_take_over();
        numbers.send_until_readable(readers[k % process_count].done()); // meanwhile they come without a pause
        readers[k % process_count].took_over();
        since.push_back(numbers.next());
    }
    numbers.send(between);
    numbers.hear_all();

    std::array<std::uint32_t, process_count> handled{};
    for (std::uint32_t number = 0, k = 0; number < numbers.next(); ++number) {
        while (k + 1 < since.size() && number >= since[k + 1])
            ++k;
        const std::uint32_t by = numbers.handled_by(number);
        ++handled[by];
        // Its reader, or the next one, if that took over while the datagram lay in the socket. Never the one before.
        require(by == k % process_count || by == (k + 1) % process_count, "what is sent after a take-over goes to the new reader");
    }
    for (std::uint32_t i = 0; i < process_count; ++i) {
        require(readers[i].end() == 0, "all readers end well");
        require(handled[i] > between, "each of them has read");
        std::cout << "reader " << i << " handled " << handled[i] << "\n";
    }
    std::cout << numbers.next() << " datagrams, each handled once; " << take_overs << " take-overs" << std::endl;
}

} // namespace

int main()
try {
    const play::own_segment segment(play::name_of("udp_one_reader"));
    run(segment.here);
    return 0;
} catch (const std::exception& failure) {
    std::cerr << "udp_one_reader: " << failure.what() << std::endl;
    return 1;
}
