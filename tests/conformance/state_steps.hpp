// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The scenes of the tests of the common state.
#pragma once

#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/socket_address.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace test::state {

/// S of the matrix: A has made it, B has redeemed a ticket for it, X is at its other end.
struct shared_connection {
    shared_connection()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
        REQUIRE(share(a, "h", b) == "ok");
    }

    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
    plain_listener listener;
    plain_socket x{-1};
};

/// Two processes and nothing shared yet.
struct two_processes {
    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
};

inline std::uint16_t port_of(const std::string& text) { return static_cast<std::uint16_t>(std::stoi(text)); }

/// A port of 127.0.0.1 without a listener, for as long as the object lives.
struct closed_port {
    closed_port() : taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        auto address   = sharedsock::socket_address::loopback(0);
        socklen_t size = address.size();
        if (::bind(taken.descriptor(), address.data(), size) != 0 || ::getsockname(taken.descriptor(), address.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "closed_port");
        text = std::to_string(address.port());
    }
    plain_socket taken;
    std::string text;
};

} // namespace test::state
