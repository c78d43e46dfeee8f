// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process.hpp"

#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

child_process::~child_process()
{
    if (id_ >= 0) finish();
}

bool child_process::start(const char* program, const char* argument)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    std::signal(SIGPIPE, SIG_IGN); // to write to a dead child is an error of write
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    char* const arguments[] = {const_cast<char*>(program), const_cast<char*>(argument), nullptr};
    const bool started      = ::posix_spawn(&id_, program, &actions, nullptr, arguments, environ) == 0;
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[0]);
    input_ = ends[1];
    if (!started) id_ = -1;
    return started;
}

bool child_process::write(const void* bytes, std::size_t size)
{
    // Not cut in two: a pipe takes up to PIPE_BUF (4096) bytes at once or none.
    return ::write(input_, bytes, size) == static_cast<ssize_t>(size);
}

int child_process::finish()
{
    ::close(input_);
    int status      = 0;
    const bool ends = ::waitpid(id_, &status, 0) == id_;
    id_             = -1;
    return ends && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool read_from_parent(void* bytes, std::size_t size)
{
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::read(STDIN_FILENO, static_cast<char*>(bytes) + done, size - done);
        if (got <= 0) return false;
        done += static_cast<std::size_t>(got);
    }
    return true;
}
