// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "worker.hpp"

#include <csignal>

#include <unistd.h>

namespace prefork_http {

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {
constexpr int most_at_once = 4; // accepted in one turn: more is faster with short connections, less is more even
} // namespace

worker::worker(ss::prefork::worker& self, ss::shared_socket& listener, scoreboard& all)
    : self_(self),
      listener_(listener),
      all_(all),
      mine_(all[self.place()]),
      guard_(io_.get_executor()),
      serving_(ss::serve(listener.where(), io_.get_executor()))
{
    mine_.pid    = ::getpid();
    mine_.starts = self.generation();
    count_open(0); // those of the worker that had this place before have ended with it
}

void worker::run()
{
    end_.async_wait([this](const ss::error_code& ec, int) {
        if (!ec) drain();
    });
    asked_.assign(::dup(self_.native_handle()));
    wait_for_drain();
    ss::async_stand_by(
        listener_, io_.get_executor(), [this](const ss::event_message&) { take_turn(); }, ss::network_event::accept);
    self_.ready();
    io_.run();
}

void worker::wait_for_drain()
{
    asked_.async_wait(asked_.wait_read, [this](const ss::error_code& ec) {
        if (ec) return;
        self_.draining() ? drain() : wait_for_drain();
    });
}

void worker::count_open(std::size_t connections)
{
    mine_.open = static_cast<std::uint32_t>(connections);
    self_.set_load(mine_.open);
}

// Nobody else accepts until `pass_on`: then it is the next one's turn, who is woken when somebody waits to be accepted.
void worker::take_turn()
{
    for (int accepted = 0; accepted < most_at_once; ++accepted) {
        ss::error_code ec;
        ss::shared_socket socket = listener_.accept(ec);
        if (ec) break; // nobody waits; or this process has no descriptor left, and another one may
        const std::uint64_t id = socket.id();
        ++mine_.accepts;
        // It has come with the listener's registration (REG-15). What we make for it takes that one's place.
        watch(connections_.try_emplace(id, std::move(socket), mine_, all_).first->second);
        count_open(connections_.size());
    }
    ss::error_code nobody_else;
    listener_.pass_on(nobody_else);
}

void worker::watch(connection& one)
{
    const auto happened = [this](const ss::event_message& message) { serve(message.socket); };
    ss::error_code ec;
    ss::async_select(one.socket(), io_.get_executor(), happened, one.wants(), {}, ec);
    if (ec) drop(one.socket().id());
}

void worker::serve(std::uint64_t id)
{
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    connection& one   = found->second;
    const auto wanted = one.wants();
    if (!one.proceed())
        drop(id);
    else if (one.wants() != wanted)
        watch(one);
}

void worker::drop(std::uint64_t id)
{
    connections_.erase(id);
    count_open(connections_.size());
    if (draining_ && connections_.empty()) io_.stop();
}

void worker::drain()
{
    if (draining_) return;
    draining_ = true;
    listener_.close(); // out of the line; if it was our turn, it is the next one's
    for (auto each = connections_.begin(); each != connections_.end();)
        each = each->second.finish() ? std::next(each) : connections_.erase(each);
    count_open(connections_.size());
    patience_.expires_after(2s);
    patience_.async_wait([this](const ss::error_code&) { io_.stop(); });
    if (connections_.empty()) io_.stop();
}

} // namespace prefork_http
