// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// Children that execute a program, started in each of the ways that there are, and the program: it redeems tickets.

#include "support/deadline.hpp"
#include "support/line_channel.hpp"

#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// A child of this process, with pipes for its standard input and output.
class started_child {
public:
    using starter = std::function<pid_t(int in, int out)>;

    explicit started_child(const starter& start)
    {
        int in[2], out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        pid_ = start(in[0], out[1]);
        ::close(in[0]);
        ::close(out[1]);
        to_child_   = in[1];
        from_child_ = out[0];
        lines_      = test::line_channel(from_child_, to_child_);
    }
    ~started_child()
    {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
        if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
        ::close(to_child_);
        ::close(from_child_);
    }
    started_child(const started_child&)            = delete;
    started_child& operator=(const started_child&) = delete;

    pid_t pid() const { return pid_; }
    void tell(const std::string& line) { lines_.write(line); }
    std::string line() { return lines_.read(test::deadline()).value_or("ended"); }
    std::string ask(const std::string& command)
    {
        tell(command);
        return line();
    }

private:
    pid_t pid_    = -1;
    int to_child_ = -1, from_child_ = -1;
    test::line_channel lines_{-1, -1};
};

// The ways to start one; each returns the pid. `in` and `out` become the child's standard input and output.

/// Forks, and executes at once.
pid_t by_fork_and_exec(int in, int out);
/// Forks. The child, which is attached where its parent is, says "forked" and executes the program when it hears a line.
pid_t by_fork_and_late_exec(int in, int out);
pid_t by_spawn(int in, int out);
/// Executes a shell, which says "shell", and executes the program when it hears a line.
pid_t by_a_shell(int in, int out);

/// Executes the program in this process, whose standard input and output stay.
[[noreturn]] void become_the_program();

} // namespace test
