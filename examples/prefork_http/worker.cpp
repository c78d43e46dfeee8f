// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "worker.hpp"

#include <sharedsock/asio/hand_over.hpp>
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

worker::worker(ss::prefork::worker& self, ss::shared_socket&& listener, scoreboard& all, parent_ties parent)
    : self_(self),
      mine_(all[self.place()]),
      site_(mine_, all),
      acceptor_(io_, std::move(listener)),
      segment_(acceptor_.socket().where()),
      serving_(ss::serve(segment_, io_.get_executor())),
      parent_(parent)
{
    mine_.pid    = ::getpid();
    mine_.starts = self.generation();
    asked_.assign(::dup(self.native_handle()));
    may_accept_.assign(::dup(parent_.accept.native_handle()));
    count_open(); // those of the worker that had this place before have ended with it
}

void worker::run()
{
    asio::co_spawn(io_, accept(), rethrow);
    asio::co_spawn(io_, receive(), rethrow);
    asio::co_spawn(io_, drain_when_asked(), rethrow);
    self_.ready();
    io_.run();
}

awaitable<> worker::accept()
{
    if (!parent_.accept.is_made()) co_await may_accept_.async_wait(may_accept_.wait_read, use_result());
    asio::steady_timer pause(io_);
    while (!draining_) {
        auto [ec, accepted] = co_await acceptor_.async_accept();
        if (!ec) {
            ++mine_.accepts;
            begin(std::move(accepted));
        }
        if (!ec || draining_) continue;
        pause.expires_after(100ms); // this worker has no descriptor left, or the like: others accept meanwhile
        co_await pause.async_wait(use_result());
    }
    accepting_ = false;
    if (is_done()) patience_.cancel();
}

awaitable<> worker::receive()
{
    asio::steady_timer pause(io_);
    for (;;) {
        auto [ec, arrived] =
            co_await ss::async_receive_hand_over(segment_, asio::any_io_executor(io_.get_executor()), use_result());
        if (!ec) {
            begin(stream(io_.get_executor(), std::move(arrived.socket)), arrived.bytes);
            continue;
        }
        pause.expires_after(100ms); // it waits, or goes back to its giver
        co_await pause.async_wait(use_result());
    }
}

void worker::begin(stream accepted, std::span<const std::byte> read_before)
{
    const auto one = connections_.emplace(connections_.end(), std::move(accepted), site_, read_before);
    count_open();
    asio::co_spawn(io_, serve(one), [this, one](std::exception_ptr failure) {
        rethrow(failure);
        connections_.erase(one);
        count_open();
        if (is_done()) patience_.cancel();
    });
    if (draining_) one->finish(); // it was accepted just before
}

awaitable<> worker::serve(connections::iterator one)
{
    co_await one->serve();
    while (one->moves()) {
        const ss::carry with{one->unread(), carry_format};
        auto [ec] = co_await ss::async_hand_over(one->stream(), parent_.process, with, use_result());
        if (!ec) break;
        one->stay(); // the supervisor has gone: this worker answers the last request itself
        co_await one->serve();
    }
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
    may_accept_.close();
    acceptor_.close(); // out of the accept queue: the waiting connections go to the others
    ss::error_code gone;
    ss::refuse_hand_overs(segment_, gone);
    if (parent_.move.is_made()) co_await move_connections();
    for (auto& one : connections_)
        one.finish();
    co_await wait_for_connections(500ms); // those whose next request is on its way
    for (auto& one : connections_)
        one.end_if_idle();
    co_await wait_for_connections(1500ms);
    io_.stop();
}

// A read that has just got a part of a request, and reads on, is cancelled the next time.
awaitable<> worker::move_connections()
{
    for (int times = 0; times < 40 && !is_done(); ++times) {
        for (auto& one : connections_)
            one.move();
        co_await wait_for_connections(50ms);
    }
    for (auto& one : connections_)
        one.stay();
}

// Until none is open, and none is being accepted: for so long at most.
awaitable<> worker::wait_for_connections(std::chrono::milliseconds limit)
{
    patience_.expires_after(limit);
    if (!is_done()) co_await patience_.async_wait(use_result());
}

} // namespace prefork_http
