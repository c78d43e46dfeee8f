// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace bench {

/// The exact counts of a stretch of code: no clock, no sampling, the same on a busy machine.
struct instruction_count {
    std::uint64_t instructions = 0;              ///< of user space; a repeated string instruction counts once
    std::map<long, std::uint64_t> calls;         ///< by system call number
    std::map<std::string, std::uint64_t> places; ///< instructions by function, if asked for

    std::uint64_t call_count() const;
    std::string call_names() const; ///< "sendto 64, recvfrom 64"
};

/// Begins and ends the stretch that is counted. Ends the process if no process traces it.
inline void count_mark() { asm volatile("int3" ::: "memory"); }

/// Runs `subject` in a forked child that is traced one instruction at a time from its first `count_mark` to its second. Its
/// own children and other processes are not traced. `subject` must leave nothing behind. @pre this process has no threads.
instruction_count count_instructions(const std::function<void()>& subject, bool with_places);

} // namespace bench
