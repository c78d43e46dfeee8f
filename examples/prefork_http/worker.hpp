// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "connection.hpp"
#include "scoreboard.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace prefork_http {

/// A process that accepts when it is its turn, and serves what it has accepted.
class worker {
public:
    /// @param listener  this process's handle, of a socket that the other workers hold as well.
    worker(sharedsock::prefork::worker& self, sharedsock::shared_socket& listener, scoreboard& all);

    /// Serves until it is asked to drain, or gets SIGTERM or SIGINT, and then what is under way, for 2 s at most.
    void run();

private:
    void wait_for_drain();
    void count_open(std::size_t connections);
    void take_turn();
    void serve(std::uint64_t id);
    void watch(connection& one);
    void drop(std::uint64_t id);
    void drain();

    sharedsock::prefork::worker& self_;
    sharedsock::shared_socket& listener_;
    scoreboard& all_;
    score& mine_;
    boost::asio::io_context io_{1};
    const boost::asio::executor_work_guard<boost::asio::io_context::executor_type>
        guard_; // registrations are none (ASYNC-7)
    boost::asio::signal_set end_{io_, SIGTERM, SIGINT};
    boost::asio::posix::stream_descriptor asked_{io_}; // readable when we may have been asked to drain
    boost::asio::steady_timer patience_{io_};
    std::shared_ptr<void> serving_; // notices deaths, and answers who opens the listener by its name
    std::unordered_map<std::uint64_t, connection> connections_; // by shared_socket::id
    bool draining_ = false;
};

} // namespace prefork_http
