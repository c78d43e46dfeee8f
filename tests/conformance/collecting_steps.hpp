// Steps that the tests of collecting, of messages and of errors have in common.
#pragma once

#include "conformance/hand_to.hpp"
#include "conformance/shared_connection.hpp"
#include "support/eventually.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <string>
#include <system_error>

#include <sys/socket.h>

namespace test {

/// A port of 127.0.0.1 without a listener, for as long as the object lives.
struct refusing_port {
    refusing_port()
    {
        auto address   = sharedsock::socket_address::loopback(0);
        socklen_t size = address.size();
        if (::bind(taken.descriptor(), address.data(), size) != 0 || ::getsockname(taken.descriptor(), address.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "refusing_port");
        text = std::to_string(address.port());
    }
    plain_socket taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::string text;
};

/// The next events of a handle that `who` is signalled for.
inline std::string next_events_of(peer& who, const std::string& handle = "h", const std::string& event = "e")
{
    return signalled(who, event) ? who.ask("enum " + handle + " " + event) : "not signalled";
}

/// Waits until so many bytes have arrived at h of `who`: for the kernel, not for the library. It peeks, which re-enables (EVT-2).
inline void wait_for_bytes(peer& who, const std::string& bytes, const std::string& handle = "h")
{
    REQUIRE(eventually(
        [&] { return who.ask("receive " + handle + " " + std::to_string(bytes.size()) + " peek dontwait") == '"' + bytes + '"'; }));
}

} // namespace test
