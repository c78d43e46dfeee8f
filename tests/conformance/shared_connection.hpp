// S of the conformance matrix, and the processes that hold it.
#pragma once

#include "support/async_peer.hpp"
#include "support/catch.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <cstdint>
#include <string>

namespace test {

/// A has made S, B has redeemed a ticket for it and has an event object e, both call it h; X is at its other end.
template <class Maker>
struct connection_made_by {
    connection_made_by()
    {
        REQUIRE(a.ask("dial h " + std::to_string(listener.port())) == "ok");
        x = listener.accept();
        REQUIRE(share(a, "h", b) == "ok");
        REQUIRE(b.ask("event e") == "ok");
    }

    scratch_segment segment;
    Maker a{segment.name()};
    peer b{segment.name()};
    plain_listener listener;
    plain_socket x{-1};
};

/// S, shared by two, each with an event object e.
struct shared_connection : connection_made_by<peer> {
    shared_connection() { REQUIRE(a.ask("event e") == "ok"); }
};

/// S, shared by three, each with an event object e.
struct shared_by_three : shared_connection {
    shared_by_three()
    {
        REQUIRE(share(a, "h", c) == "ok");
        REQUIRE(c.ask("event e") == "ok");
    }

    peer c{segment.name()};
};

/// S, shared by two; the events of A come to a handler on an executor.
using shared_with_handler = connection_made_by<async_peer>;

/// A listening socket l that A has made and B has a handle to; both have an event object e.
struct shared_listener {
    shared_listener()
    {
        port = static_cast<std::uint16_t>(std::stoi(a.ask("listener l")));
        REQUIRE(share(a, "l", b) == "ok");
        REQUIRE(a.ask("event e") == "ok");
        REQUIRE(b.ask("event e") == "ok");
    }

    scratch_segment segment;
    peer a{segment.name()};
    peer b{segment.name()};
    std::uint16_t port = 0;
};

/// Whether `event` of `who` is signalled in good time.
template <class Peer>
bool signalled(Peer& who, const std::string& event = "e")
{
    return who.ask("wait " + event + " " + std::to_string(patience.count())) == "yes";
}

/// Whether nothing signals `event` of `who` for `quiet_time`.
template <class Peer>
bool quiet(Peer& who, const std::string& event = "e")
{
    return who.ask("wait " + event + " " + std::to_string(quiet_time.count())) == "no";
}

/// The next message that came to a handler of `who`, "quiet" if none comes for `quiet_time`.
inline std::string next_message(async_peer& who) { return who.ask("next " + std::to_string(patience.count())); }
inline bool no_message(async_peer& who) { return who.ask("next " + std::to_string(quiet_time.count())) == "quiet"; }

/// One word of what `query` answers: word("owner=2.1 handle=7", "owner") is "2.1".
inline std::string word(const std::string& answer, const std::string& name)
{
    const auto at = (" " + answer).find(" " + name + "=");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 1;
    return answer.substr(begin, answer.find(' ', begin) - begin);
}

} // namespace test
