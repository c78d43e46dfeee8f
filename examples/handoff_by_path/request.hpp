// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handoff {

/// The parts of an HTTP/1.1 request's head that this program uses.
struct request {
    std::string method;
    std::string path;
    std::uint64_t body_bytes = 0;
    bool keep_alive          = true;
    bool expects_continue    = false; ///< the client waits for a 100 before it sends the body
    bool understood          = false; ///< false: not HTTP, or a body of unknown length
    std::size_t head_bytes   = 0;
};

/// The request at the beginning of `bytes`; nothing before its head is complete.
std::optional<request> parse_head(std::string_view bytes);

} // namespace handoff
