// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that accept in turn from a listener of the test, and the test's connections to them.
#pragma once

#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cstdint>

#include <sys/types.h>

namespace test {

/// A listener on loopback, published in a segment of its own.
class turn_listener {
public:
    turn_listener();
    scratch_segment home;
    sharedsock::shared_socket socket;
    std::uint16_t port;
};

/// How a worker treats its connections.
enum class turn_manner {
    answers, ///< sends its pid and closes
    keeps,   ///< sends its pid and keeps the connection; its load is how many it has
    waits,   ///< is woken, says "woken", and does nothing until it is told to "go on"
};

/// A child process in the accept queue. Constructed, it stands by and waits.
class turn_worker {
public:
    turn_worker(turn_listener& from, turn_manner manner, const sharedsock::turn_options& how = {});
    child_process& process() noexcept { return process_; }
    pid_t pid() const noexcept { return process_.pid(); }

private:
    child_process process_;
};

/// A connection of the test's own.
class caller {
public:
    explicit caller(std::uint16_t port); ///< connected when constructed, accepted or not
    ~caller();
    caller(caller&& other) noexcept;
    caller(const caller&)            = delete;
    caller& operator=(const caller&) = delete;

    pid_t accepted_by(); ///< the pid that the worker sends; throws when none comes within `test::patience`
    bool ended();        ///< nothing more comes than the end
    bool silent() const; ///< nothing has come so far

private:
    int fd_;
};

} // namespace test
