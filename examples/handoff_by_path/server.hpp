// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "connection.hpp"
#include "directory.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace handoff {

/// One process: serves the requests that belong to its place, and hands on connections whose next request belongs elsewhere,
/// together with all that it has read of them.
class server {
public:
    /// @param with_carry  false: hands over the socket without the bytes, so that the self-test can show what that breaks.
    server(const sharedsock::segment& where, directory& who, place here, bool with_carry);

    void accept_from(sharedsock::shared_socket& listener); ///< the front does; before `run`
    void run();                                            ///< until SIGTERM

private:
    void add(sharedsock::shared_socket socket, std::string unread = {}, std::uint64_t moves = 0);
    void accept(sharedsock::shared_socket& listener);
    void receive();
    void serve(std::uint64_t id);
    void hand_on(std::uint64_t id);

    const sharedsock::segment where_;
    directory& who_;
    const place here_;
    const bool with_carry_;
    boost::asio::io_context io_{1};
    const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
        io_.get_executor()}; // this process may have no other work for the context
    boost::asio::signal_set end_{io_, SIGTERM, SIGINT};
    std::shared_ptr<void> serving_; // notices deaths
    struct guest {
        connection one;
        bool leaves = false; // is being handed over
    };
    // By a number of its own: a connection may be back here before this process has heard that the other one took it.
    std::unordered_map<std::uint64_t, guest> guests_;
    std::uint64_t last_guest_ = 0;
};

} // namespace handoff
