// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "connection.hpp"

#include <sharedsock/asio/acceptor.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>
#include <memory>

namespace prefork_http {

using stream   = use_result::as_default_on_t<sharedsock::basic_stream<executor>>;
using acceptor = use_result::as_default_on_t<sharedsock::basic_acceptor<executor>>;

/// A process that accepts in turn with the others, and serves its connections.
class worker {
public:
    /// @param listener  this process's handle, of a socket that the other workers hold as well.
    worker(sharedsock::prefork::worker& self, sharedsock::shared_socket&& listener, scoreboard& all);

    /// Serves until it is asked to drain, by the supervisor or by a signal; then answers the requests under way. A connection without
    /// a request has 500 ms to send its last one, and the whole takes 2 s at most.
    void run();

private:
    awaitable<> accept();
    awaitable<> asked_to_drain();
    awaitable<> drain_when_asked();
    awaitable<> wait_for_connections(std::chrono::milliseconds limit);
    void begin(stream accepted);
    void count_open();
    bool is_done() const noexcept { return draining_ && !accepting_ && connections_.empty(); }

    sharedsock::prefork::worker& self_;
    score& mine_;
    site site_;
    boost::asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE}; // of one thread, and no other thread posts to it: no locks
    acceptor acceptor_;
    std::shared_ptr<void> serving_;                    // notices deaths, and answers processes that open the listener by its name
    boost::asio::posix::stream_descriptor asked_{io_}; // readable when a request to drain may have come
    boost::asio::steady_timer patience_{io_};
    std::list<connection<stream>> connections_;
    bool accepting_ = true;
    bool draining_  = false;
};

} // namespace prefork_http
