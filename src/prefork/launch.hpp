// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "prefork/channel.hpp"
#include "prefork/load_table.hpp"
#include "prefork/program_path.hpp"
#include "prefork/signal_source.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <sys/types.h>

namespace sharedsock::prefork::detail {

/// The descriptors and settings that every worker is started with. The descriptors stay the supervisor's.
struct launch_plan {
    std::size_t place        = 0;
    std::uint32_t generation = 0;
    int parent               = -1; ///< pidfd
    const load_table* loads  = nullptr;
    worker_signals signals;
    int parent_death_signal           = 0;
    std::chrono::nanoseconds watchdog = for_ever;
};

/// A started process.
struct launched {
    pid_t pid = 0;
    unique_fd process; ///< pidfd
    channel link;      ///< none if the program does not cooperate
};

/// fork(2). `in_child` runs first in the child, and closes all that is the supervisor's alone.
launched launch_fork(const launch_plan& plan, const std::function<void()>& in_child, const std::function<int(worker&)>& body,
                     error_code& ec);

/// posix_spawn(3), which reports a failure of execve(2) as well.
/// `where`: made of its path when the supervisor was made.
launched launch_program(const launch_plan& plan, const program& what, const program_path& where, error_code& ec);

} // namespace sharedsock::prefork::detail
