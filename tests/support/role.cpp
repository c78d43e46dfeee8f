#include "support/role.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace test {

namespace {

constexpr int exit_thrown = 99;

std::map<std::string, role_function, std::less<>>& roles()
{
    static std::map<std::string, role_function, std::less<>> all; // here, because registrations run before main
    return all;
}

line_channel open_channel()
{
    const char* told = std::getenv(channel_variable);
    if (told == nullptr) {
        return {STDIN_FILENO, STDOUT_FILENO};
    }
    int descriptor = -1;
    pid_t parent   = 0;
    if (std::sscanf(told, "%d %d", &descriptor, &parent) != 2) {
        throw std::runtime_error(std::string(channel_variable) + " is '" + told + "'");
    }
    ::unsetenv(channel_variable); // programs that this process starts get neither the variable nor the descriptor
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);

    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) { // the parent died before the line above
        std::_Exit(exit_thrown);
    }
    return {descriptor, descriptor};
}

} // namespace

role_context::role_context(std::vector<std::string> arguments, line_channel channel)
    : args(std::move(arguments)), channel_(std::move(channel))
{}

void role_context::say(std::string_view line) { channel_.write(line); }

std::optional<std::string> role_context::hear() { return channel_.read(); }

int role_context::serve(const handlers& verbs)
{
    while (const auto command = hear()) {
        const auto space       = command->find(' ');
        const std::string verb = command->substr(0, space);
        const std::string rest = space == std::string::npos ? "" : command->substr(space + 1);
        try {
            const auto found = verbs.find(verb);
            if (found == verbs.end()) {
                throw std::invalid_argument("unknown command '" + verb + "'");
            }
            say(found->second(rest));
        } catch (const std::exception& failure) {
            say(std::string("error: ") + failure.what());
        }
    }
    return 0;
}

void role_context::raise_channel()
{
    const int channel = ::fcntl(channel_.output(), F_DUPFD_CLOEXEC, 100);
    if (channel < 0) throw std::system_error(errno, std::generic_category(), "fcntl");
    ::close(channel_.output());
    channel_ = line_channel(channel, channel);
}

void role_context::become(std::string_view role, const std::vector<std::string>& starter)
{
    if (starter.empty()) {
        ::fcntl(channel_.output(), F_SETFD, 0);
        const std::string told = std::to_string(channel_.output()) + " " + std::to_string(::getppid());
        ::setenv(channel_variable, told.c_str(), 1);
    } else {
        ::dup2(channel_.output(), STDIN_FILENO);
        ::dup2(channel_.output(), STDOUT_FILENO);
    }
    std::vector<std::string> words = starter;
    words.push_back(std::filesystem::read_symlink("/proc/self/exe"));
    words.insert(words.end(), {"--child", std::string(role)});
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv.front(), argv.data());
    throw std::system_error(errno, std::generic_category(), "execv");
}

role_registration::role_registration(std::string_view name, role_function function)
{
    if (name.size() >= 2 && name.front() == '"') {
        name = name.substr(1, name.size() - 2);
    }
    if (!roles().emplace(name, function).second) {
        std::fprintf(stderr, "two child roles are called '%.*s'\n", static_cast<int>(name.size()), name.data());
        std::abort();
    }
}

int run_role(const std::string& role, std::vector<std::string> args)
{
    try {
        role_context context(std::move(args), open_channel());
        const auto found = roles().find(role);
        if (found == roles().end()) {
            throw std::invalid_argument("this binary has no such role");
        }
        return found->second(context);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "child role '%s': %s\n", role.c_str(), failure.what());
        return exit_thrown;
    }
}

} // namespace test
