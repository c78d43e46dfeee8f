// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <csignal>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// The facts that a forked child finds. The number of the first that is not true is its exit code.
class child_facts {
public:
    void expect(bool fact)
    {
        ++number_;
        if (!fact && first_wrong_ == 0) first_wrong_ = number_;
    }
    int first_wrong() const noexcept { return first_wrong_; }

private:
    int number_      = 0;
    int first_wrong_ = 0;
};

/// A child that hangs inside fork(2) is killed by SIGALRM, so that a test fails and does not hang. Call it before the first
/// attachment: of atfork handlers in a child the first one runs first.
inline void kill_children_that_hang(unsigned seconds = 60)
{
    static unsigned limit  = 0;
    static const bool once = ::pthread_atfork(nullptr, nullptr, [] { ::alarm(limit); }) == 0;
    limit                  = once ? seconds : 0;
}

/// How a child ended: its exit code, or minus the signal.
inline int ended(pid_t child)
{
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Forks. `run` gets the facts of the child, which ends after it without the destructors of the parent's objects.
template <class InChild>
int in_forked_child(InChild run)
{
    const pid_t child = ::fork();
    if (child != 0) return ended(child);
    child_facts all;
    run(all);
    ::_exit(all.first_wrong());
}

} // namespace test
