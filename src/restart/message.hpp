// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "restart/wire.hpp"

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

namespace sharedsock::restart::detail {

using sharedsock::detail::unique_fd;

/// The result of a receive.
enum class arrival : std::uint8_t { message, nothing, end };

struct arrived_message {
    wire::decoded content;
    std::vector<unique_fd> descriptors;
    bool lacks_descriptors = false; ///< this process had no room for them; the sender has its own
    bool complete() const noexcept { return descriptors.size() == wire::descriptors_of(content.text); }
};

/// One end of the connection between two generations: SOCK_SEQPACKET, whose messages come whole or not at all. Never blocks.
class conversation {
public:
    conversation() noexcept = default;
    explicit conversation(unique_fd connection) noexcept : connection_(std::move(connection)) {}

    explicit operator bool() const noexcept { return static_cast<bool>(connection_); }
    int native_handle() const noexcept { return connection_.get(); }

    /// Sends at once, past the messages that wait. `std::errc::operation_would_block`: not sent, there is no room. Any other error:
    /// not sent, and the other side will read no message any more.
    error_code send_now(const wire::message& one, std::span<const int> descriptors = {});
    /// Sends in order, as soon as there is room. The descriptors must stay open until then.
    void send(const wire::message& one, std::vector<int> descriptors = {});
    error_code flush(); ///< sends of those that wait; an error as of `send_now`
    bool waits_to_send() const noexcept { return !outbox_.empty(); }
    void drop_outbox() noexcept { outbox_.clear(); }
    void drop_last() noexcept { outbox_.pop_back(); } ///< of those that wait
    std::vector<int>& last_descriptors() noexcept { return outbox_.back().descriptors; }

    /// The next message. `end`: the other side has closed, and all that it sent before was read.
    arrival receive(arrived_message& into);

    /// The fence: no send of the other side succeeds any more, and all that it sent before is still read (shutdown(2) of a unix(7)
    /// socket).
    void refuse_more() noexcept;
    void close() noexcept { connection_.reset(); }

private:
    struct outgoing {
        std::vector<std::byte> bytes;
        std::vector<int> descriptors;
    };
    error_code transmit(std::span<const std::byte> bytes, std::span<const int> descriptors) noexcept;

    unique_fd connection_;
    std::deque<outgoing> outbox_;
};

} // namespace sharedsock::restart::detail
