#pragma once

#include "support/deadline.hpp"
#include "support/line_channel.hpp"
#include "support/role.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace test {

/// A child failed a wait of the test. Tells which child, the command to it, its lines and how it ended.
class child_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// This test binary, executed once more in a role (see SHAREDSOCK_CHILD_ROLE), and the lines that go to and fro.
///
/// SHAREDSOCK_TEST_WRAPPER in the environment is a program that runs it, with arguments: valgrind, for instance.
///
/// It is a new program, not a fork: no half-copied threads, reporters or sanitizers, and no atfork handler of the library
/// runs for it. It is killed at the end of scope, with the children that it has forked, and when the thread that made it ends;
/// what it has left in shared memory is removed. stdin, stdout and stderr are those of the test. Every wait ends in a child_error
/// after `test::patience`. One thread at a time.
class child_process {
public:
    explicit child_process(std::string_view role, std::vector<std::string> args = {});
    child_process(child_process&& other) noexcept;
    child_process& operator=(child_process&&) = delete;
    ~child_process(); ///< SIGKILL and reap, unless it has been waited for

    pid_t pid() const noexcept { return pid_; } ///< stays after the end, when the number may be another process's

    void tell(std::string_view command);       ///< sends a line
    std::string line();                        ///< the next line from the child
    std::string ask(std::string_view command); ///< tell, then line
    void wait_for(std::string_view expected);  ///< reads lines up to exactly this one
    void close_input();                        ///< the child hears the end of its commands

    /// The lines that `wait_for` passed over.
    const std::vector<std::string>& skipped() const noexcept { return skipped_; }

    void kill(int signal); ///< sends a signal, and does not wait
    void stop();           ///< SIGSTOP; returns when the child stands still
    void resume();         ///< SIGCONT
    int wait();            ///< until the end: the exit code, or minus the signal; the same again when called again

private:
    std::string read_line(std::string_view purpose);
    bool reap_within(const deadline& end);
    [[noreturn]] void fail(const std::string& what) const;

    std::string role_;
    pid_t pid_   = -1;
    int channel_ = -1;
    line_channel lines_;
    std::vector<std::string> skipped_;
    std::optional<int> result_; // as wait returns it; empty while the process has not been reaped
};

} // namespace test
