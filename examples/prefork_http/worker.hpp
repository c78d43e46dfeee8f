// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "announcement.hpp"
#include "connection.hpp"

#include <sharedsock/asio/acceptor.hpp>
#include <sharedsock/hand_over.hpp>
#include <sharedsock/prefork/worker.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/segment.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <utility>

namespace prefork_http {

using stream   = use_result::as_default_on_t<sharedsock::basic_stream<executor>>;
using acceptor = use_result::as_default_on_t<sharedsock::basic_acceptor<executor>>;

/// The tag of a connection that moves: its carry is what was read from it and not answered.
inline constexpr std::uint64_t carry_format = 1;

/// The worker's ties to its supervisor, besides the listener and the scores.
struct parent_ties {
    sharedsock::process_id process;
    const announcement& accept; ///< not before it is made
    const announcement& move;   ///< made: the connections of a worker that drains go to the supervisor
};

/// A process that accepts in turn with the others, and serves its connections.
class worker {
public:
    /// @param listener  this process's handle, of a socket that the other workers hold as well.
    worker(sharedsock::prefork::worker& self, sharedsock::shared_socket&& listener, scoreboard& all, parent_ties parent);

    /// Serves until it is asked to drain, by the supervisor or by a signal; then answers the requests under way. A connection without
    /// a request has 500 ms to send its last one, and the whole takes 2 s at most. If the connections move, those go at once that
    /// are between two requests.
    void run();

private:
    using connections = std::list<connection<stream>>;

    awaitable<> accept();
    awaitable<> receive(); // connections from the supervisor
    awaitable<> serve(connections::iterator one);
    awaitable<> asked_to_drain();
    awaitable<> drain_when_asked();
    awaitable<> wait_for_connections(std::chrono::milliseconds limit);
    awaitable<> move_connections();
    void begin(stream accepted, std::span<const std::byte> read_before = {});
    void count_open();
    bool is_done() const noexcept { return draining_ && !accepting_ && connections_.empty(); }

    sharedsock::prefork::worker& self_;
    score& mine_;
    site site_;
    boost::asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE}; // of one thread, and no other thread posts to it: no locks
    acceptor acceptor_;
    sharedsock::segment segment_;
    std::shared_ptr<void> serving_;                    // notices deaths, and answers processes that open the listener by its name
    boost::asio::posix::stream_descriptor asked_{io_}; // readable when a request to drain may have come
    boost::asio::steady_timer patience_{io_};
    boost::asio::posix::stream_descriptor may_accept_{io_};
    const parent_ties parent_;
    connections connections_;
    bool accepting_ = true;
    bool draining_  = false;
};

} // namespace prefork_http
