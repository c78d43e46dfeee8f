// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// Common to the tests of tickets and hand-overs.
#pragma once

#include "attach/handle.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/records_in_use.hpp"
#include "support/scratch_segment.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace test {

inline sharedsock::process_id id_of(const sharedsock::segment& segment, peer& who)
{
    return segment.find_process(who.process().pid()).value();
}

/// A stream between this process, which shares it, and X.
struct shared_stream {
    explicit shared_stream(const sharedsock::segment& where, int family = AF_INET)
    {
        connection pair(where, family);
        socket = std::move(pair.socket);
        x      = plain_socket(std::exchange(pair.peer, -1));
    }
    sharedsock::ticket ticket_for(peer& target) const { return socket.duplicate(id_of(socket.where(), target)); }

    sharedsock::shared_socket socket;
    plain_socket x{-1};
};

/// Whether the handle h of `who` refers to the socket whose other end is `x`.
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

/// The answer of `who` to the redemption of `value` as `handle`.
inline std::string redeem(peer& who, const sharedsock::ticket& value, const std::string& handle = "h")
{
    return who.ask("redeem " + handle + " " + value.to_text());
}

inline int either_family() { return GENERATE(AF_INET, AF_UNIX); }

/// The answer of `asker` to `command`, for which `holder` has to serve.
inline std::string served_by(peer& holder, peer& asker, const std::string& command)
{
    REQUIRE(asker.ask("start t " + command) == "ok");
    while (asker.ask("running t") == "yes")
        REQUIRE(holder.ask("poll_segment") == "ok");
    return asker.ask("join t");
}

/// The answer of `asker` to `command`, for which this process has to serve.
inline std::string served_by(sharedsock::segment& holder, peer& asker, const std::string& command)
{
    const auto serving = holder.serve_in_thread();
    return asker.ask(command);
}

/// A process that has not attached to `segment`: it is a member of another one, so that it can talk.
struct newcomer {
    explicit newcomer(const std::string& segment) : segment_(segment) {}
    test::peer& attach()
    {
        REQUIRE(peer.ask("attach " + segment_) == "ok");
        return peer;
    }
    std::int32_t pid() { return peer.process().pid(); }

    scratch_segment elsewhere;
    test::peer peer{elsewhere.name()};

private:
    const std::string segment_;
};

} // namespace test
