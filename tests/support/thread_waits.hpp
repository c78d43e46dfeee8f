// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/syscall.h>
#include <sys/types.h>

namespace test {

/// How many threads of that process, other than its first, sleep in poll(2): there a blocking call waits.
inline std::size_t threads_that_wait(pid_t pid)
{
    std::size_t count       = 0;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
        if (task.path().filename() == std::to_string(pid)) continue;
        std::ifstream file(task.path() / "syscall");
        long number = -1;
        file >> number; // "running" is no number
        bool polls = number == SYS_ppoll;
#ifdef SYS_poll
        polls = polls || number == SYS_poll;
#endif
        count += file && polls;
    }
    return count;
}

inline bool a_thread_waits(pid_t pid) { return threads_that_wait(pid) > 0; }

} // namespace test
