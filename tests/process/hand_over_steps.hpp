// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// What the tests of hand-overs have in common.
#pragma once

#include "handle.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/hand_over.hpp>

#include <csignal>
#include <filesystem>
#include <string>

namespace test {

/// A connection of TCP between this process, which shares it, and X.
struct handed_stream {
    explicit handed_stream(const sharedsock::segment& where)
    {
        connection pair(where, AF_INET);
        socket = std::move(pair.socket);
        x      = plain_socket(std::exchange(pair.peer, -1));
    }
    sharedsock::shared_socket socket;
    plain_socket x{-1};
};

inline sharedsock::process_id id_of(sharedsock::segment& segment, peer& who)
{
    return segment.find_process(who.process().pid()).value();
}

/// Whether the handle that `who` calls h is one to the other end of which is `x`.
inline bool talk(peer& who, plain_socket& x)
{
    if (who.ask("send h ping") != "4" || x.receive(4) != "ping") return false;
    x.send("pong");
    return who.ask("receive h 4") == "\"pong\"";
}

inline void end(peer& who)
{
    who.process().kill(SIGKILL);
    REQUIRE(who.process().wait() == -SIGKILL);
}

inline std::size_t descriptors_of(pid_t pid)
{
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), std::filesystem::directory_iterator()));
}

/// Handle records that are not free, by what the segment itself says.
inline std::size_t records_in_use(sharedsock::segment& segment)
{
    const sharedsock::detail::tables& bytes = segment.attachment()->member()->bytes();
    std::size_t used                        = 0;
    for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index)
        used += load(*bytes.handle(index)).state != sharedsock::detail::handle_state::free;
    return used;
}

} // namespace test
