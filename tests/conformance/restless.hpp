// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <random>
#include <vector>

namespace test {

/// One of many processes that act at once: any public operation on any of a few sockets, in an order that a seed gives.
class restless {
public:
    restless(const sharedsock::segment& segment, sharedsock::shared_socket&& first, unsigned seed);

    /// One public operation; whether it succeeded. Throws the exception of an operation that has no other way to fail.
    bool act();

private:
    sharedsock::network_event mask();
    void keep(sharedsock::shared_socket&& made);
    void drop();
    void give_away(sharedsock::shared_socket& s);
    void hand_over(sharedsock::shared_socket&& s);
    void receive_hand_over();
    void connect_to_self();

    sharedsock::segment segment_;
    std::minstd_rand random_;
    boost::asio::io_context context_;
    sharedsock::event_object ready_, other_;
    std::vector<sharedsock::shared_socket> sockets_; // the first is the one that all share
};

} // namespace test
