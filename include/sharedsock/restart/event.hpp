// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/restart/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sharedsock::restart {

/// A live connection, the bytes that were read from it and not worked on, and the application's number.
struct connection {
    descriptor socket;
    std::vector<std::byte> bytes;
    std::uint64_t tag = 0;
};

/// One thing that has happened: the result of `generation::poll`.
struct event {
    enum class kind : std::uint8_t {
        // To the generation that serves.
        successor_joined, ///< another program starts as the next generation. Serve on
        successor_ready,  ///< it accepts from now on. Accept no more, `give` every connection, then `finish`
        given,            ///< the gift is the successor's
        returned,         ///< the gift is this process's again, exactly as it was given: `connection`. `why`: the reason
        time_is_up,       ///< `options::give_limit` has passed: give what can be given, and `finish`
        successor_failed, ///< the upgrade has ended, and this generation serves on: accept again. `why`: the reason
        replaced,         ///< the successor serves. Drain what is left, and end

        // To the successor.
        offered,   ///< a connection with `tag` and `size`: `take` or `decline` it. Until then it is the predecessor's
        serving,   ///< the predecessor has given all, or has ended: this is the generation that serves
        dismissed, ///< the predecessor has taken the service back. `why`: the reason. End this process
    };

    kind what          = kind::serving;
    std::uint64_t gift = 0;         ///< given, returned: the number from `give`. offered: the number for `take` and `decline`
    std::uint64_t tag  = 0;         ///< offered, returned
    std::size_t size   = 0;         ///< offered: bytes of the carry
    restart::connection connection; ///< returned
    error_code why;                 ///< returned, successor_failed, dismissed
    std::string text;               ///< the reason in words, with the names and numbers that `why` has no room for
};

/// A connection that came back during the upgrade and was not given again: `generation::left`.
struct left_behind {
    std::uint64_t gift = 0;
    std::uint64_t tag  = 0;
    error_code why;
};

/// A generation, as it introduces itself; for people and logs.
struct about_generation {
    std::int32_t pid     = 0;   ///< as it has it in its own pid namespace; 0: there is no such generation
    std::uint64_t number = 0;   ///< of the generation; 0: not known yet
    std::string library;        ///< version of sharedsock
    std::uint32_t layout   = 0; ///< of segments in that version: if it differs, the segments did not cross
    std::uint32_t protocol = 0; ///< in which the two speak
};

} // namespace sharedsock::restart
