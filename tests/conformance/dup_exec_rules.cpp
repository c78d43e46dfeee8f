// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// DUP-3 for targets that execute programs: a ticket by pid is for the process, whatever it executes.
#include "support/catch.hpp"
#include "support/line_channel.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

extern char** environ;

// The program that a target executes: attaches when it is told to, and redeems the ticket that it is given.
SHAREDSOCK_CHILD_ROLE("executed program")
{
    std::optional<ss::segment> segment;
    ss::shared_socket socket;
    role.say("runs");
    return role.serve({
        {"attach",
         [&](const std::string& name) {
             segment = ss::segment::open(name);
             return "ok";
         }},
        {"redeem",
         [&](const std::string& text) {
             ss::error_code ec;
             auto redeemed = ss::shared_socket::redeem(*segment, ss::ticket::from_text(text), ec);
             if (ec) return ec.message();
             socket = std::move(redeemed);
             return std::string("ok");
         }},
        {"send", [&](const std::string& text) { return std::to_string(socket.send(std::as_bytes(std::span(text)))); }},
    });
}

namespace {

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

// The words of `own --child "executed program"`, for exec.
std::vector<std::string> words_of_program() { return {"/proc/self/exe", "--child", "executed program"}; }

std::vector<char*> pointers_to(std::vector<std::string>& words)
{
    std::vector<char*> pointers;
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

pid_t fork_and_exec(std::vector<std::string> words, int in, int out)
{
    const std::vector<char*> arguments = pointers_to(words);
    const pid_t child                  = ::fork();
    if (child != 0) return child;
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

pid_t by_fork_and_exec(int in, int out) { return fork_and_exec(words_of_program(), in, out); }

pid_t by_spawn(int in, int out)
{
    std::vector<std::string> words = words_of_program();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    pid_t child      = -1;
    const int failed = ::posix_spawn(&child, words[0].c_str(), &actions, nullptr, pointers_to(words).data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? child : -1;
}

// A shell, which says that it runs, and executes the program when it is told to.
pid_t by_a_shell(int in, int out)
{
    return fork_and_exec({"/bin/sh", "-c", "echo shell; read go; exec \"$0\" --child \"executed program\"",
                          "/proc/" + std::to_string(::getpid()) + "/exe"},
                         in, out);
}

// This process is the source.
struct source {
    test::scratch_segment segment;
    test::connection c{segment};
    std::shared_ptr<void> serving = segment->serve_in_thread(); // for targets that may not trace this process
};

// The program has its ticket: it redeems that once, no other process does, and the handle is good without the source's.
void redeems(source& s, started_child& child, const std::string& ticket)
{
    test::peer other(s.segment.name());
    CHECK(other.ask("redeem h " + ticket) == "error: invalid_argument, ticket_wrong_process");
    REQUIRE(child.ask("attach " + s.segment.name()) == "ok");
    CHECK(child.ask("redeem " + ticket) == "ok");
    CHECK(child.ask("redeem " + ticket) == make_error_code(ss::errc::ticket_used).message());
    s.c.socket.close();
    CHECK(child.ask("send late") == "4");
    std::array<char, 4> heard{};
    CHECK(::recv(s.c.peer, heard.data(), heard.size(), MSG_WAITALL) == 4);
    CHECK(std::string(heard.data(), heard.size()) == "late");
}

} // namespace

TEST_CASE("a ticket by pid is redeemed by a target that was forked and has executed its program", "[DUP-3][G9]")
{
    source s;
    started_child child(by_fork_and_exec);
    REQUIRE(child.line() == "runs");
    redeems(s, child, s.c.socket.duplicate_for_pid(child.pid()).to_text());
}

TEST_CASE("a ticket by pid is redeemed by a target that was spawned", "[DUP-3][G9]")
{
    source s;
    started_child child(by_spawn);
    const std::string ticket = s.c.socket.duplicate_for_pid(child.pid()).to_text(); // whether or not the program runs already
    REQUIRE(child.line() == "runs");
    redeems(s, child, ticket);
}

TEST_CASE("a ticket by pid belongs to the process: a program that it executes after the ticket was made redeems it", "[DUP-3][G9]")
{
    source s;
    started_child child(by_a_shell);
    REQUIRE(child.line() == "shell");
    const std::string ticket = s.c.socket.duplicate_for_pid(child.pid()).to_text();
    REQUIRE(child.ask("go") == "runs");
    redeems(s, child, ticket);
}
