// The steps that the tests of shared_socket's calls have in common.
#pragma once

#include "support/catch.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace test {

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string receive_text(sharedsock::shared_socket& socket, std::size_t size, int flags = 0)
{
    std::string text(size, '\0');
    text.resize(socket.receive(std::as_writable_bytes(std::span(text)), flags));
    return text;
}

inline sharedsock::error_code receive_error(sharedsock::shared_socket& socket, int flags = 0)
{
    std::byte byte;
    sharedsock::error_code ec;
    socket.receive(std::span(&byte, 1), flags, ec);
    return ec;
}

/// More than the peer's buffers take, so that some is unsent.
inline void fill(sharedsock::shared_socket& socket)
{
    const std::vector<std::byte> much(1 << 20);
    sharedsock::error_code ec;
    while (!ec)
        socket.send(much, MSG_DONTWAIT, ec);
    REQUIRE(ec == std::errc::operation_would_block);
}

} // namespace test
