// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>

namespace bench {
namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

void arrive(int far)
{
    const std::array<char, 64> message{};
    checked(::send(far, message.data(), message.size(), 0), "send");
}

// Asio's own socket, and sharedsock's on the same kind of context.
class asio_end {
public:
    asio_end() : stream_(io_, asio::ip::tcp::v4(), ends_.near.release()) {}

protected:
    asio::io_context io_{1};
    pair_of_sockets ends_ = tcp_pair();
    asio::ip::tcp::socket stream_;
    std::array<char, 256> room_{};
};

class shared_end {
public:
    shared_end() : stream_(io_, adopt(where_, std::move(ends_.near))) {}

protected:
    asio::io_context io_{1};
    ss::segment where_    = ss::segment::create_unnamed();
    pair_of_sockets ends_ = tcp_pair();
    ss::stream stream_;
    std::array<char, 256> room_{};
};

// A read waits, its bytes arrive, its handler starts the next one.
template <class End>
class waiting_read : End {
public:
    static constexpr int batch = 16;

    waiting_read()
    {
        read();
        this->io_.poll();
    }
    void step(int)
    {
        arrive(this->ends_.far.get());
        for (done_ = false; !done_;)
            this->io_.run_one();
    }

private:
    void read()
    {
        this->stream_.async_read_some(asio::buffer(this->room_), [this](const ss::error_code& ec, std::size_t) {
            if (ec) return;
            done_ = true;
            read();
        });
    }
    bool done_ = false;
};

// The bytes to read are there already.
template <class End>
class ready_read : End {
public:
    static constexpr int batch = 16;

    void prepare()
    {
        for (int i = 0; i < batch; ++i)
            arrive(this->ends_.far.get());
    }
    void step(int)
    {
        this->stream_.async_read_some(asio::buffer(this->room_.data(), 64), [](const ss::error_code&, std::size_t) {});
        this->io_.restart();
        this->io_.poll();
    }
};

template <class End>
class write : End {
public:
    static constexpr int batch = 16;

    void step(int)
    {
        this->stream_.async_write_some(asio::buffer(this->room_.data(), 64), [](const ss::error_code&, std::size_t) {});
        this->io_.restart();
        this->io_.poll();
        std::array<char, 64> got{};
        checked(::recv(this->ends_.far.get(), got.data(), got.size(), 0), "recv");
    }
};

} // namespace

void add_stream(comparisons& all)
{
    const goal one_operation{.ratio = {}, .nanoseconds = {}, .extra_instructions = 100, .extra_calls = 0};
    all.push_back(compare<waiting_read<asio_end>, waiting_read<shared_end>>("stream: read that waits / Asio", one_operation));
    all.push_back(compare<ready_read<asio_end>, ready_read<shared_end>>("stream: read at once / Asio", one_operation));
    all.push_back(compare<write<asio_end>, write<shared_end>>("stream: write / Asio", one_operation));
}

} // namespace bench
