// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The steps that the tests of the liveness lock have in common.
#pragma once

#include "attach/fork_hook.hpp"
#include "base/unique_fd.hpp"
#include "layout/layout.hpp"
#include "store/liveness_lock.hpp"
#include "support/unique_name.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test::liveness {

namespace fs = std::filesystem;
using namespace sharedsock::detail;

inline constexpr std::uint32_t processes = processes_per_liveness_file + 4; // two lock files

// One process's attachment to a directory of lock files, without the rest of a real one.
struct member {
    explicit member(const fs::path& path)
        : directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
          life(liveness_lock::open(directory.get(), processes))
    {}

    bool take(std::uint32_t index) { return life->take(index, ec); }

    sharedsock::error_code ec;
    unique_fd directory;
    std::shared_ptr<liveness_lock> life;
};

// A directory with lock files.
struct life_files {
    life_files()
    {
        for (std::uint32_t file = 0; file < liveness_file_count(processes); ++file) {
            std::ofstream(scratch.path() / liveness_file_name(file * processes_per_liveness_file));
        }
    }

    test::scratch_directory scratch;
    const fs::path& path = scratch.path();
};

inline pid_t fork_as_the_library_does()
{
    install_fork_hook();
    return ::fork();
}

inline int exit_code_of(pid_t process)
{
    int status = 0;
    ::waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace test::liveness
