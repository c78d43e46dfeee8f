// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/command/command_stage.hpp"

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

#include <sharedsock/sharedsock.hpp>

#include <boost/property_tree/json_parser.hpp>

#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;

using test::command::options_of;

/// args: segment, directory. Attaches, and does the calls that it is told to one socket.
SHAREDSOCK_CHILD_ROLE("attaches and does as told")
{
    auto segment = ss::segment::open(role.args.at(0), options_of(role.args.at(1)));
    ss::event_object ready;
    ss::shared_socket socket;
    const detail::unique_fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    ss::turn_acceptor acceptor;
    ss::pending_hand_over given;
    role.say("attached");
    return role.serve({
        {"listen",
         [&](const std::string& path) {
             const auto where = path.empty() ? ss::socket_address::loopback(0) : ss::socket_address::local(path);
             socket           = ss::shared_socket::listen(segment, where);
             return std::to_string(socket.local_address().port());
         }},
        {"publish",
         [&](const std::string& name) {
             segment.publish(name, socket);
             return std::string("done");
         }},
        {"own",
         [&](const std::string&) {
             socket.event_select(ready, ss::network_event::accept);
             return std::string("done");
         }},
        {"stand-by",
         [&](const std::string&) {
             socket.stand_by(ready, ss::network_event::accept);
             return std::string("done");
         }},
        {"accept-in-turn",
         [&](const std::string&) {
             acceptor = ss::turn_acceptor(std::move(socket));
             acceptor.stand_by(epoll.get(), 1, 2);
             return std::string("done");
         }},
        {"leave-line",
         [&](const std::string&) {
             acceptor.leave();
             return std::string("done");
         }},
        {"ticket-for", [&](const std::string& pid) { return socket.duplicate_for_pid(std::stoi(pid)).to_text(); }},
        {"give-to",
         [&](const std::string& pid) {
             given = ss::pending_hand_over(std::move(socket), segment.find_process(std::stoi(pid)).value());
             return std::string("done");
         }},
        {"decline",
         [&](const std::string&) {
             const auto waiting = ss::peek_hand_over(segment);
             return std::string(waiting && ss::decline_hand_over(segment, *waiting) ? "done" : "there is none");
         }},
        {"redeem",
         [&](const std::string& ticket) {
             socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(ticket));
             return std::string("done");
         }},
    });
}

namespace test::command {
namespace {

/// A nameless file that a child writes to and the test reads afterwards: unlike a pipe it never fills up.
class captured {
public:
    captured() : file_(::memfd_create("captured", MFD_CLOEXEC)) { REQUIRE(file_ >= 0); }
    captured(const captured&) = delete;
    ~captured() { ::close(file_); }

    int native_handle() const { return file_; }

    std::string text() const
    {
        std::ifstream file("/proc/self/fd/" + std::to_string(file_));
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    int file_;
};

} // namespace

ss::segment_options options_of(const std::string& directory)
{
    ss::segment_options options;
    options.sockets   = 16;
    options.processes = 16;
    options.directory = directory;
    return options;
}

boost::property_tree::ptree answer::json() const
{
    std::istringstream text(out);
    boost::property_tree::ptree document;
    boost::property_tree::read_json(text, document);
    return document;
}

answer run(std::vector<std::string> words)
{
    captured out;
    captured err;
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out.native_handle(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.native_handle(), STDERR_FILENO);
    pid_t child       = -1;
    const int failure = ::posix_spawnp(&child, pointers.front(), &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return {127, {}, {}};
    }

    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return {WEXITSTATUS(status), out.text(), err.text()};
}

stage::stage() { ss::segment::create(name_, options_of(directory())); }

std::filesystem::path stage::files_of(const std::string& name) const
{
    return scratch_.path() / ("sharedsock." + std::to_string(::geteuid()) + '.' + name);
}

child_process stage::attach() const
{
    child_process child("attaches and does as told", {name_, directory()});
    child.wait_for("attached");
    return child;
}

answer stage::command(const std::vector<std::string>& words) const
{
    std::vector<std::string> line{SHAREDSOCK_COMMAND_PATH};
    line.insert(line.end(), words.begin(), words.end());
    line.push_back("--directory=" + directory());
    return run(std::move(line));
}

busy_stage::busy_stage() : first(attach()), second(attach())
{
    port = first.ask("listen");
    REQUIRE(second.ask("redeem " + first.ask("ticket-for " + std::to_string(second.pid()))) == "done");
    REQUIRE(first.ask("publish http") == "done");
    REQUIRE(first.ask("own") == "done");
    REQUIRE(second.ask("stand-by") == "done");
}

void busy_stage::kill_first()
{
    first.kill(SIGKILL);
    REQUIRE(first.wait() == -SIGKILL);
}

} // namespace test::command
