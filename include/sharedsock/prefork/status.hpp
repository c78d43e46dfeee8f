// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace sharedsock::prefork {

enum class worker_state : std::uint8_t {
    vacant,      ///< the place is not in use
    starting,    ///< runs, and has not said that it is ready
    ready,       ///< serves
    draining,    ///< was asked to end
    terminating, ///< was sent SIGTERM, because it did not end
    killed,      ///< was sent SIGKILL, because it did not end, or never became ready
    backing_off, ///< died; its place is filled again after a while
    ended,       ///< died; its place stays empty, because the supervisor has given up
    stopped,     ///< was ready and does not run: SIGSTOP, a terminal or a debugger has stopped it
};

const char* to_string(worker_state state) noexcept;

/// How a process ended.
struct exit_status {
    bool known = false; ///< false: another part of the process reaped it, or SIGCHLD is ignored
    int code   = 0;     ///< of exit(3)
    int signal = 0;     ///< that killed it; 0: none

    bool well() const noexcept { return known && code == 0 && signal == 0; }
};

/// "ended with 0", "was killed by signal 9"; for people and logs.
std::string to_string(const exit_status& how);

/// One place, and the worker that has it, as the supervisor sees them.
struct worker_status {
    std::size_t place        = 0; ///< from 0; a successor takes its predecessor's. After the wanted ones: a spare's, for a while
    std::uint32_t generation = 0; ///< how many workers this place has had
    std::uint32_t restarts   = 0; ///< how many of them took the place of one that died
    worker_state state       = worker_state::vacant;
    std::chrono::steady_clock::time_point since; ///< of the state
    pid_t pid = 0;                               ///< 0: none runs
    process_id process;                          ///< in the segment it appears in (`worker::appear_in`)
    std::uint32_t load = 0;                      ///< the value that `worker::set_load` stored last
    std::optional<exit_status> last_exit;        ///< of the worker that had the place last
    error_code failure; ///< of the last start that failed, e.g. EMFILE, ENOENT, `errc::worker_not_ready`; or `errc::worker_hung`
    std::string reason; ///< the text of the exception that a worker ended with
};

/// All workers, as the supervisor sees them.
struct crew_status {
    std::size_t wanted   = 0;
    std::size_t ready    = 0;
    std::size_t retiring = 0;     ///< workers that have asked for a successor (`worker::retire`), until it is ready
    std::size_t killed   = 0;     ///< workers that a signal ended since `stop`, so that they could not drain
    bool rolling         = false; ///< a rolling restart is under way
    bool stopping        = false; ///< `stop` was called, or a signal asked for it
    bool signaled        = false; ///< a signal asked for the stop; `start` goes on in spite of it
    bool given_up        = false; ///< workers kept dying; `roll`, `resize` and `start` try again
    bool finished        = false; ///< stopping, and no worker is left
};

} // namespace sharedsock::prefork
