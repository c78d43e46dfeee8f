// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "request.hpp"
#include "sha256.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace handoff {

/// Where a request is served: each process has one place. The front itself answers only requests of no worker.
enum class place : std::size_t { front, a, b };
inline constexpr std::size_t places = 3;

place place_of(const std::string& path); ///< by its first part: /a, /b

/// One HTTP/1.1 connection in the process that has it now. Bytes that were read and not used yet go along in a hand-over.
class connection {
public:
    /// @param unread  bytes that came with a hand-over.
    /// @param moves   how often the connection has been handed over.
    connection(sharedsock::shared_socket socket, place here, std::string unread = {}, std::uint64_t moves = 0);

    enum class state {
        waits, ///< until the socket can be read or written
        moves, ///< the next request belongs to `next`: its head is among the unread bytes
        is_over,
    };
    state proceed(); ///< makes all progress that needs no waiting

    sharedsock::shared_socket& socket() noexcept { return socket_; }
    place next() const noexcept { return next_; }
    std::string_view unread() const noexcept { return unread_; }
    std::uint64_t moves() const noexcept { return moves_; }
    void refuse(const std::string& why); ///< a 503, and the end

private:
    enum class progress { done, blocked, ended };
    progress send();
    progress receive();
    void begin(const request& head);
    void take_body();
    void answer(const char* status, const std::string& body);

    sharedsock::shared_socket socket_;
    const place here_;
    place next_;
    std::string unread_;
    std::string unsent_;
    std::uint64_t moves_;
    std::optional<request> current_; // the request whose body is coming
    std::uint64_t body_left_ = 0;
    sha256 sum_;
    bool last_ = false; // the unsent bytes are the last
};

} // namespace handoff
