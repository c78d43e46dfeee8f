// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/socket_address.hpp>

#include <cstdint>
#include <random>
#include <string>

namespace survivor {

/// A client that knows nothing of processes: one connection, numbered lines, a few of them ahead of their answers.
class client {
public:
    explicit client(const sharedsock::socket_address& server);
    ~client();
    client(const client&)            = delete;
    client& operator=(const client&) = delete;

    /// Sends lines up to number `last` and reads answers, until that of line `until` has come. Throws if an answer is not the next
    /// one, byte for byte, or none comes for ten seconds.
    void converse(std::uint64_t until, std::uint64_t last);

    std::uint64_t answered() const noexcept { return answered_; }

    /// Sends the end, and requires that nothing but the end comes back.
    void end();

private:
    void send_some(std::uint64_t last);
    void read_some();

    int socket_;
    std::string unsent_;
    std::string unread_;
    std::uint64_t sent_ = 0, answered_ = 0, total_ = 0;
    std::minstd_rand random_{11};
};

} // namespace survivor
