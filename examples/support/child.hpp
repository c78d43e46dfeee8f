// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace play {

/// Ends a play in which a check fails.
inline void require(bool holds, const std::string& what)
{
    if (!holds) throw std::runtime_error("it is not true that " + what);
}

/// A process made by fork(2): it has counted handles of its own to all shared sockets of its parent, and dies with it.
/// Fork before the first `io_context` of the parent; then Asio's `notify_fork` is not needed.
class child {
public:
    /// `body` runs in the child and returns its exit code.
    template <class Body>
    explicit child(Body&& body)
    {
        const pid_t parent = ::getpid();
        pid_               = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        int code = 1;
        try {
            if (::getppid() == parent) code = body();
        } catch (const std::exception& failure) {
            std::cerr << "process " << ::getpid() << ": " << failure.what() << std::endl;
        }
        ::_exit(code); // objects copied from the parent are not this process's to destroy
    }
    child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    child& operator=(child&& other) noexcept
    {
        std::swap(pid_, other.pid_);
        return *this;
    }
    ~child()
    {
        if (pid_ > 0) end(SIGKILL);
    }

    pid_t pid() const noexcept { return pid_; }

    /// Sends `signal`, and waits for the end.
    void end(int signal)
    {
        ::kill(pid_, signal);
        wait();
    }

    /// Waits for the end: the exit code, or minus the signal.
    int wait()
    {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    pid_t pid_ = -1;
};

} // namespace play
