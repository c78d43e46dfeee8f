// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The scenes of the tests of duplication.
#pragma once

#include "conformance/shared_connection.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace test {

struct three_processes {
    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
    peer c{segment.name()};
};

/// A new stream, which A has as h, to X. `kind`: tcp or unix.
inline plain_socket stream_to_x(peer& a, const std::string& kind)
{
    if (kind == "tcp") {
        plain_listener listener;
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        return listener.accept();
    }
    const scratch_directory directory;
    const std::string path = (directory.path() / "x").string();
    const auto address     = sharedsock::socket_address::local(path);
    const plain_socket listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.descriptor(), address.data(), address.size()) == 0);
    REQUIRE(::listen(listener.descriptor(), 1) == 0);
    REQUIRE(a.ask("open h unix") == "ok");
    REQUIRE(a.ask("connect h " + path) == "ok");
    return plain_socket(::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
}

/// S of the matrix: A has it as h, X is at its other end; B and C have nothing yet.
struct stream_of_a : three_processes {
    explicit stream_of_a(const std::string& kind = "tcp") : x(stream_to_x(a, kind)) {}

    // A makes a ticket for `target`, which is text already.
    std::string ticket_for(const peer& target) { return a.ask("duplicate h " + target.pid()); }
    std::string count(peer& who) // of handles and tickets
    {
        const std::string answer = who.ask("handles h");
        return answer.substr(0, answer.find(' '));
    }

    plain_socket x;
};

/// S of the matrix, and B has redeemed a ticket.
struct stream_of_a_and_b : stream_of_a {
    explicit stream_of_a_and_b(const std::string& kind = "tcp") : stream_of_a(kind) { REQUIRE(share(a, "h", b) == "ok"); }
};

inline std::string either_kind() { return GENERATE(as<std::string>{}, "tcp", "unix"); }

inline std::uint16_t port_of(const std::string& text)
{
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.find(':') + 1)));
}

} // namespace test
