// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "worker.hpp"

#include <sharedsock/asio/serve.hpp>

#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

namespace prefork_http {

namespace asio = boost::asio;
namespace ss   = sharedsock;
using namespace std::chrono_literals;

namespace {

void rethrow(std::exception_ptr failure)
{
    if (failure) std::rethrow_exception(failure);
}

} // namespace

worker::worker(ss::prefork::worker& self, ss::shared_socket&& listener, scoreboard& all)
    : self_(self),
      mine_(all[self.place()]),
      site_(mine_, all),
      acceptor_(io_, std::move(listener)),
      serving_(ss::serve(acceptor_.socket().where(), io_.get_executor()))
{
    mine_.pid    = ::getpid();
    mine_.starts = self.generation();
    asked_.assign(::dup(self.native_handle()));
    count_open(); // those of the worker that had this place before have ended with it
}

void worker::run()
{
    asio::co_spawn(io_, accept(), rethrow);
    asio::co_spawn(io_, drain_when_asked(), rethrow);
    self_.ready();
    io_.run();
}

awaitable<> worker::accept()
{
    asio::steady_timer pause(io_);
    while (!draining_) {
        auto [ec, accepted] = co_await acceptor_.async_accept();
        if (!ec) begin(std::move(accepted));
        if (!ec || draining_) continue;
        pause.expires_after(100ms); // this worker has no descriptor left, or the like: others accept meanwhile
        co_await pause.async_wait(use_result());
    }
}

void worker::begin(stream accepted)
{
    const auto one = connections_.emplace(connections_.end(), std::move(accepted), site_);
    ++mine_.accepts;
    count_open();
    asio::co_spawn(io_, one->serve(), [this, one](std::exception_ptr failure) {
        rethrow(failure);
        connections_.erase(one);
        count_open();
        if (draining_ && connections_.empty()) patience_.cancel();
    });
}

void worker::count_open()
{
    mine_.open = static_cast<std::uint32_t>(connections_.size());
    self_.set_load(mine_.open); // a worker that has more than another lets that one accept
}

awaitable<> worker::asked_to_drain()
{
    while (!self_.draining())
        co_await asked_.async_wait(asked_.wait_read, use_result()); // a cancellation ends it at the next turn
}

awaitable<> worker::drain_when_asked()
{
    co_await asked_to_drain();
    draining_ = true;
    acceptor_.close(); // out of the accept queue: the waiting connections go to the others
    for (auto& one : connections_)
        one.finish();
    patience_.expires_after(connections_.empty() ? 0s : 2s);
    co_await patience_.async_wait(use_result());
    io_.stop();
}

} // namespace prefork_http
