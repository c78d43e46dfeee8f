#include "support/child_process.hpp"

#include "support/leftovers.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

namespace {

void require(int error, const char* what)
{
    if (error != 0) {
        throw std::system_error(error, std::generic_category(), what);
    }
}

// A program to run children by, and its arguments: valgrind, for instance.
const char* wrapper() { return std::getenv("SHAREDSOCK_TEST_WRAPPER"); }

std::vector<std::string> wrapped(std::vector<std::string> words)
{
    if (!wrapper()) return words;
    std::istringstream given(wrapper());
    std::vector<std::string> all(std::istream_iterator<std::string>(given), {});
    words.front() = std::filesystem::read_symlink("/proc/self/exe");
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

// posix_spawn, because fork would run the atfork handlers of the library under test in a process that has nothing to do with it.
pid_t spawn(const std::vector<std::string>& words, int channel)
{
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const auto& word : words) {
        argv.push_back(const_cast<char*>(word.c_str())); // posix_spawn's signature is older than const
    }
    argv.push_back(nullptr);

    std::string told = channel_variable;
    told += "=" + std::to_string(channel) + " " + std::to_string(::getpid());
    std::vector<char*> environment{told.data()};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        environment.push_back(*entry);
    }
    environment.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    require(::posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
    posix_spawnattr_t attributes;
    require(::posix_spawnattr_init(&attributes), "posix_spawnattr_init");

    // Onto itself: that clears close-on-exec, in the child alone.
    require(::posix_spawn_file_actions_adddup2(&actions, channel, channel), "posix_spawn_file_actions_adddup2");
    sigset_t none;
    ::sigemptyset(&none);
    require(::posix_spawnattr_setsigmask(&attributes, &none), "posix_spawnattr_setsigmask");
    require(::posix_spawnattr_setpgroup(&attributes, 0), "posix_spawnattr_setpgroup"); // of its own, with its forked children
    require(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP), "posix_spawnattr_setflags");

    pid_t pid           = -1;
    const char* program = wrapper() ? argv.front() : "/proc/self/exe";
    const int error     = ::posix_spawnp(&pid, program, &actions, &attributes, argv.data(), environment.data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    require(error, "posix_spawn");
    return pid;
}

} // namespace

child_process::child_process(std::string_view role, std::vector<std::string> args) : role_(role), lines_(-1, -1)
{
    int ends[2]; // the parent's, the child's
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno, "socketpair");

    args.insert(args.begin(), {program_invocation_name, "--child", role_});
    try {
        pid_ = spawn(wrapped(std::move(args)), ends[1]);
    } catch (...) {
        ::close(ends[0]);
        ::close(ends[1]);
        throw;
    }
    ::close(ends[1]); // only the child may have the child's end, or its death would not end the parent's reading
    channel_ = ends[0];
    lines_   = line_channel(channel_, channel_);
}

child_process::child_process(child_process&& other) noexcept
    : role_(std::move(other.role_)),
      pid_(std::exchange(other.pid_, -1)),
      channel_(std::exchange(other.channel_, -1)),
      lines_(std::move(other.lines_)),
      skipped_(std::move(other.skipped_)),
      result_(other.result_)
{}

child_process::~child_process()
{
    if (pid_ > 0 && !result_) {
        ::kill(-pid_, SIGKILL); // its forked children too
        ::kill(pid_, SIGKILL);  // it may have left its group
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
        remove_leftovers_of(pid_);
    }
    if (channel_ >= 0) {
        ::close(channel_);
    }
}

void child_process::tell(std::string_view command)
{
    if (!lines_.write(command)) {
        reap_within(deadline());
        fail("could not be told '" + std::string(command) + "'");
    }
}

std::string child_process::line() { return read_line("for a line"); }

std::string child_process::ask(std::string_view command)
{
    tell(command);
    return read_line("for the answer to '" + std::string(command) + "'");
}

void child_process::wait_for(std::string_view expected)
{
    const std::string purpose = "for '" + std::string(expected) + "'";
    for (std::string line = read_line(purpose); line != expected; line = read_line(purpose)) {
        skipped_.push_back(std::move(line));
    }
}

void child_process::close_input() { ::shutdown(channel_, SHUT_WR); }

void child_process::kill(int signal)
{
    if (result_) {
        fail("was to get signal " + std::to_string(signal)); // the pid may be another process's by now
    }
    require(::kill(pid_, signal) == 0 ? 0 : errno, "kill");
}

void child_process::stop()
{
    kill(SIGSTOP);
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0) {
        require(errno == EINTR ? 0 : errno, "waitpid");
    }
    if (!WIFSTOPPED(status)) {
        result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        fail("was to be stopped");
    }
}

void child_process::resume() { kill(SIGCONT); }

int child_process::wait()
{
    if (!reap_within(deadline())) {
        fail("did not end");
    }
    return *result_;
}

std::string child_process::read_line(std::string_view purpose)
{
    std::optional<std::string> line;
    try {
        line = lines_.read(deadline());
    } catch (const std::system_error& failure) {
        fail("made the test wait " + std::string(purpose) + ": " + failure.code().message());
    }
    if (!line) {
        reap_within(deadline()); // the end of its lines nearly always means the end of the process
        fail("made the test wait " + std::string(purpose) + " and said no more");
    }
    return *std::move(line);
}

// A pidfd, because waitpid has no deadline.
bool child_process::reap_within(const deadline& end)
{
    if (result_) {
        return true;
    }
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    require(process >= 0 ? 0 : errno, "pidfd_open");
    pollfd ended{process, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&ended, 1, end.left_ms());
    } while (ready < 0 && errno == EINTR);
    ::close(process);

    int status = 0;
    if (ready <= 0 || ::waitpid(pid_, &status, 0) != pid_) {
        return false;
    }
    result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    remove_leftovers_of(pid_); // the child may have been killed before it removed them
    return true;
}

void child_process::fail(const std::string& what) const
{
    std::string text = "child '" + role_ + "' (process " + std::to_string(pid_) + ") " + what;
    if (result_) {
        text +=
            *result_ < 0 ? "; killed by signal " + std::to_string(-*result_) : "; ended with exit code " + std::to_string(*result_);
    }
    for (const auto& line : skipped_) {
        text += "\n  it had said: " + line;
    }
    throw child_error(text);
}

} // namespace test
