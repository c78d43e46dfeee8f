// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// The result of `what` in a forked child, which may do anything to its descriptors. "died" if it did not come to an end;
/// "threw" and the text of an exception, if it threw one.
inline std::string in_child(const std::function<std::string()>& what)
{
    constexpr std::size_t room = 16 * 1024;
    void* const shared         = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return "no memory";
    auto* const text = static_cast<char*>(shared);
    std::strcpy(text, "died");
    const pid_t child = ::fork();
    if (child == 0) {
        std::string said;
        try {
            said = what();
        } catch (const std::exception& failure) {
            said = std::string("threw ") + failure.what();
        }
        std::memcpy(text, said.c_str(), std::min(said.size() + 1, room - 1));
        ::_exit(0);
    }
    int status = 0;
    while (child > 0 && ::waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    std::string result(text);
    if (WIFSIGNALED(status)) result += " (signal " + std::to_string(WTERMSIG(status)) + ")";
    ::munmap(shared, room);
    return result;
}

} // namespace test
