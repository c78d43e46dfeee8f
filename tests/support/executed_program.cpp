// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/executed_program.hpp"

#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <spawn.h>

namespace ss = sharedsock;

extern char** environ;

// Attaches when it is told to, and redeems the ticket that it is given.
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
        {"close",
         [&](const std::string&) {
             socket.close();
             return "ok";
         }},
        {"execute",
         [&](const std::string&) -> std::string {
             test::become_the_program(); // which says that it runs
         }},
        {"send", [&](const std::string& text) { return std::to_string(socket.send(std::as_bytes(std::span(text)))); }},
    });
}

namespace test {
namespace {

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

} // namespace

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

pid_t by_fork_and_late_exec(int in, int out)
{
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    char byte        = 0;
    const bool heard = ::write(STDOUT_FILENO, "forked\n", 7) == 7;
    while (heard && byte != '\n')
        if (::read(STDIN_FILENO, &byte, 1) != 1) ::_exit(126);
    become_the_program();
}

void become_the_program()
{
    std::vector<std::string> words = words_of_program();
    ::execv(words[0].c_str(), pointers_to(words).data());
    ::_exit(127);
}

} // namespace test
