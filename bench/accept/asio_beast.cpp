// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The connections of examples/prefork_http on Asio's own sockets: their cost without sharedsock.
#include "../examples/prefork_http/connection.hpp"
#include "accept/listener_each.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <exception>
#include <list>
#include <optional>

#include <unistd.h>

namespace accept_bench {
namespace {

namespace asio = boost::asio;
using namespace prefork_http;
using tcp          = asio::ip::tcp;
using tcp_stream   = use_result::as_default_on_t<asio::basic_stream_socket<tcp, executor>>;
using tcp_acceptor = use_result::as_default_on_t<asio::basic_socket_acceptor<tcp, executor>>;

void rethrow(std::exception_ptr failure)
{
    if (failure) std::rethrow_exception(failure);
}

class asio_worker {
public:
    asio_worker(int listener, score& mine, scoreboard& all) : mine_(mine), site_(mine_, all), acceptor_(io_, tcp::v4(), listener)
    {
        mine_.pid = ::getpid();
    }
    void run()
    {
        asio::co_spawn(io_, accept(), rethrow);
        io_.run();
    }

private:
    awaitable<> accept()
    {
        for (;;) {
            auto [ec, accepted] = co_await acceptor_.async_accept();
            if (!ec) begin(std::move(accepted));
        }
    }
    void begin(tcp_stream accepted)
    {
        const auto one = open_.emplace(open_.end(), std::move(accepted), site_);
        ++mine_.accepts;
        asio::co_spawn(io_, one->serve(), [this, one](std::exception_ptr failure) {
            rethrow(failure);
            open_.erase(one);
        });
    }

    asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
    score& mine_;
    site site_;
    tcp_acceptor acceptor_;
    std::list<connection<tcp_stream>> open_;
};

class asio_beast final : public listener_each {
public:
    std::uint16_t prepare(unsigned workers) override
    {
        scores_.emplace(workers);
        return listener_each::prepare(workers);
    }
    void work(unsigned worker, worker_counters&) override { asio_worker(take(worker), (*scores_)[worker], *scores_).run(); }
    void count(all_counters& counters) override
    {
        for (std::size_t i = 0; i < scores_->size(); ++i) {
            counters[i].accepts  = (*scores_)[i].accepts.load();
            counters[i].requests = (*scores_)[i].requests.load();
        }
    }

private:
    std::optional<scoreboard> scores_;
};

} // namespace

std::unique_ptr<scheme> make_asio_beast() { return std::make_unique<asio_beast>(); }

} // namespace accept_bench
