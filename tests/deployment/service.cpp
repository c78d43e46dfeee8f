// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "deployment/service.hpp"

#include "deployment/conversation.hpp"
#include "process/prefork/prefork_crew.hpp"
#include "support/role.hpp"

#include <sharedsock/prefork.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

namespace prefork = sharedsock::prefork;

void require(int error, const char* what)
{
    if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

bool has_word(const std::string& words, const std::string& word)
{
    return (' ' + words + ' ').find(' ' + word + ' ') != std::string::npos;
}

} // namespace

// --- the test's side --------------------------------------------------------------------------------------------------

service::service(const setting& wanted) : lines_(-1, -1)
{
    std::array<int, 2> ends{}; // the test's, the service's
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0 ? 0 : errno, "socketpair");
    std::vector<std::string> words = wanted.by;
    for (const std::string& word :
         {wanted.program.empty() ? std::filesystem::read_symlink("/proc/self/exe").string() : wanted.program,
          std::string("--child"), std::string("is a service"), wanted.kind, wanted.options, wanted.how})
        words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    require(::posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
    require(::posix_spawnattr_init(&attributes), "posix_spawnattr_init");
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) // a role without a channel talks there
        require(::posix_spawn_file_actions_adddup2(&actions, ends[1], standard), "posix_spawn_file_actions_adddup2");
    sigset_t none;
    sigemptyset(&none);
    require(::posix_spawnattr_setsigmask(&attributes, &none), "posix_spawnattr_setsigmask");
    short flags = POSIX_SPAWN_SETSIGMASK;
    if (wanted.terminal.empty()) {
        flags |= POSIX_SPAWN_SETPGROUP;
    } else { // the leader of a session gets the first terminal that it opens; its standard error is free for that
        flags |= POSIX_SPAWN_SETSID;
        require(::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, wanted.terminal.c_str(), O_RDWR, 0), "addopen");
    }
    require(::posix_spawnattr_setflags(&attributes, flags), "posix_spawnattr_setflags");
    const int error = ::posix_spawnp(&pid_, argv.front(), &actions, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    channel_ = ends[0];
    lines_   = line_channel(channel_, channel_);
    require(error, words.front().c_str());
    supervisor_ = std::stoi(wait_for("supervisor "));
    if (supervisor_ == 0) return;
    group_ = ::getpgid(supervisor_);
    port_  = static_cast<std::uint16_t>(std::stoi(wait_for("port ")));
}

service::~service()
{
    if (group_ > 1 && group_ != ::getpgrp()) ::kill(-group_, SIGKILL);
    if (pid_ > 0 && !reaped_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(channel_);
}

void service::signal(int number) const { ::kill(supervisor_, number); }

void service::signal_group(int number) const
{
    if (group_ == ::getpgrp()) throw std::logic_error("the service has no process group of its own");
    ::kill(-group_, number);
}

std::string service::wait_for(const std::string& beginning, const std::string& or_this)
{
    const deadline end;
    for (;;) {
        const auto line = lines_.read(end);
        if (!line) throw std::runtime_error("the service has ended before it said '" + beginning + "'");
        said_.push_back(*line);
        for (const std::string& one : {beginning, or_this})
            if (line->starts_with(one)) return line->substr(one.size());
    }
}

void service::wait_for_all(std::vector<std::string> beginnings)
{
    for (const deadline end; !beginnings.empty();) {
        const auto line = lines_.read(end);
        if (!line) throw std::runtime_error("the service has ended before it said '" + beginnings.front() + "'");
        said_.push_back(*line);
        std::erase_if(beginnings, [&](const std::string& one) { return line->starts_with(one); });
    }
}

bool service::has_said(const std::string& part) const
{
    return std::any_of(said_.begin(), said_.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

int service::wait()
{
    int status = 0;
    for (const deadline end; ::waitpid(pid_, &status, WNOHANG) != pid_; ::poll(nullptr, 0, 1))
        if (end.passed()) throw std::runtime_error("the service does not end");
    reaped_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace test

// --- the service's side -----------------------------------------------------------------------------------------------

namespace {

// Goes on in a child that is the first process of a pid namespace, and gets its pid as this one has it; 0: there may be none.
// The caller ends with the child.
pid_t enter_pid_namespace()
{
    std::array<int, 2> named{};
    if ((::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) || ::pipe(named.data()) != 0) return 0;
    const pid_t child = ::fork();
    if (child != 0) {
        static_cast<void>(!::write(named[1], &child, sizeof child));
        int status = 0;
        ::waitpid(child, &status, 0);
        ::_exit(WEXITSTATUS(status)); // at once: LeakSanitizer could start no thread in the dead namespace
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t self = 0;
    static_cast<void>(!::read(named[0], &self, sizeof self));
    ::close(named[0]);
    ::close(named[1]);
    return self;
}

} // namespace

/// args: kind, options, how (see `service::setting`).
SHAREDSOCK_CHILD_ROLE("is a service")
{
    using test::has_word;
    namespace prefork = sharedsock::prefork;

    const std::string how = role.args.at(2);
    const pid_t known_as  = has_word(how, "pid-1") ? enter_pid_namespace() : ::getpid();
    role.say("supervisor " + std::to_string(known_as));
    if (known_as == 0) return 0;
    if (has_word(how, "subreaper")) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    std::uint16_t port = 0;
    const int listener = test::listen_on_loopback(port);
    role.say("port " + std::to_string(port));
    if (has_word(how, "blocked")) {
        sigset_t some;
        sigemptyset(&some);
        sigaddset(&some, SIGTERM);
        sigaddset(&some, SIGUSR2);
        ::sigprocmask(SIG_BLOCK, &some, nullptr);
    }
    prefork::options rules = test::read_options(role.args.at(1));
    rules.reap_orphans     = has_word(how, "reaps");
    rules.on_change        = [&role](const prefork::worker_status& one) {
        role.say(std::to_string(one.place) + ' ' + to_string(one.state) + ' ' + std::to_string(one.generation) + " of " +
                        std::to_string(one.pid) + (one.last_exit ? ", last " + to_string(*one.last_exit) : ""));
    };
    const auto body = [&](prefork::worker& self) {
        if (has_word(how, "gate")) test::converse_with_the_next(listener);
        return test::serve(self, listener);
    };
    prefork::program what;
    what.arguments   = {"worker", "--child", "is a worker of a service", how};
    what.environment = {"LISTENER=" + std::to_string(listener)};
    what.descriptors = {listener};
    auto all         = role.args.at(0) == "forked" ? prefork::supervisor(rules, body) : prefork::supervisor(rules, std::move(what));
    all.take_signals({.workers = !has_word(how, "alone")});
    sharedsock::error_code ec;
    all.run(ec);
    role.say("end: " + (ec ? ec.message() : "in order"));
    return ec ? 1 : 0;
}

/// args: how.
SHAREDSOCK_CHILD_ROLE("is a worker of a service")
{
    const int listener = std::stoi(std::getenv("LISTENER"));
    if (test::has_word(role.args.at(0), "gate")) test::converse_with_the_next(listener);
    auto self = sharedsock::prefork::worker::inherit();
    return test::serve(self, listener);
}
