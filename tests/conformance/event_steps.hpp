// Common to the tests of the network events: S of every kind, and single steps.
#pragma once

#include "conformance/shared_connection.hpp"
#include "support/eventually.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/socket_address.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace test {

/// S of one kind, and X at its other end: A has made it, B has redeemed a ticket for it, both call it h and have an event
/// object e. Kinds: "tcp", "unix" (a stream) and "seqpacket".
struct connection_of {
    explicit connection_of(const std::string& kind)
    {
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(b.ask("event e") == "ok");
        if (kind == "tcp") {
            plain_listener listener;
            REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
            x = listener.accept();
        } else {
            const scratch_directory place;
            local_listener listener(place.path() / "x", kind == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM);
            REQUIRE(a.ask("dial_local h " + kind + " " + listener.path()) == "ok");
            x = listener.accept();
        }
        REQUIRE(share(a, "h", b) == "ok");
    }

    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
    plain_socket x{-1};
};

/// Two processes with an event object e each, and nothing shared yet.
struct two_processes {
    two_processes()
    {
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(b.ask("event e") == "ok");
    }
    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
};

/// A port of 127.0.0.1 without a listener, for as long as the object lives.
struct closed_port {
    closed_port()
    {
        auto address   = sharedsock::socket_address::loopback(0);
        socklen_t size = address.size();
        if (::bind(taken.descriptor(), address.data(), size) != 0 || ::getsockname(taken.descriptor(), address.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "closed_port");
        text = std::to_string(address.port());
    }
    plain_socket taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::string text;
};

/// The next events of a handle that `who` is signalled for.
inline std::string next_events(peer& who, const std::string& handle = "h")
{
    return signalled(who) ? who.ask("enum " + handle + " e") : "not signalled";
}

/// Whether nothing happens: no signal for `quiet_time`, and an empty record, which `who` has looked at itself.
inline bool silent(peer& who, const std::string& handle = "h") { return quiet(who) && who.ask("enum " + handle) == "none"; }

/// Whether S shows `bytes` to a receive that takes nothing: a wait for the kernel, not for the library.
inline bool arrives(peer& who, const std::string& bytes)
{
    return eventually([&] { return who.ask("receive h " + std::to_string(bytes.size()) + " peek dontwait") == '"' + bytes + '"'; });
}

/// The port in the answer of "local H".
inline std::string port_in(const std::string& address) { return address.substr(address.rfind(':') + 1); }

} // namespace test
