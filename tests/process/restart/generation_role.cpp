// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One generation of a service, which does what the test says.
#include "process/restart/generation_role.hpp"

#include "support/carry_pattern.hpp"
#include "support/deadline.hpp"
#include "support/plain_socket.hpp"
#include "support/role.hpp"

#include <sharedsock/restart.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// "name value" for a test that checks both.
std::string told(const ss::error_code& ec)
{
    return ec == ss::errc::generation_silent        ? "generation_silent"
           : ec == ss::errc::successor_lost         ? "successor_lost"
           : ec == ss::errc::upgrade_dismissed      ? "upgrade_dismissed"
           : ec == ss::errc::upgrade_under_way      ? "upgrade_under_way"
           : ec == ss::errc::upgrade_refused        ? "upgrade_refused"
           : ec == ss::errc::gift_declined          ? "gift_declined"
           : ec == ss::errc::other_restart_protocol ? "other_restart_protocol"
           : ec == ss::errc::bad_restart_message    ? "bad_restart_message"
           : ec == ss::errc::foreign_service        ? "foreign_service"
           : ec == ss::errc::no_successor           ? "no_successor"
           : ec == ss::errc::no_such_gift           ? "no_such_gift"
           : ec == ss::errc::generation_ended       ? "generation_ended"
           : ec == std::errc::operation_would_block ? "would_block"
                                                    : ec.message();
}

std::string name_of(ss::restart::event::kind what)
{
    constexpr const char* names[] = {"successor_joined", "successor_ready", "given",   "returned", "time_is_up",
                                     "successor_failed", "replaced",        "offered", "serving",  "dismissed"};
    return names[static_cast<std::size_t>(what)];
}

std::string text_of(const std::vector<std::byte>& bytes)
{
    if (bytes.size() > 100)
        return std::to_string(bytes.size()) + (bytes == test::carry_pattern(1, bytes.size()) ? " intact" : " spoiled");
    return "'" + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + "'";
}

template <class Work>
std::string between_signals(Work work)
{
    ::signal(SIGUSR1, SIG_IGN);
    ::raise(SIGUSR1);
    std::string said = work();
    ::raise(SIGUSR1);
    return said;
}

class generation_of_test {
public:
    generation_of_test(std::string name, std::string directory) : name_(std::move(name)) { how_.directory = std::move(directory); }

    // rest: "answer_limit_ms patience_ms wait owner", each optional
    std::string join(const std::string& rest)
    {
        std::istringstream words(rest);
        long answer_ms = 10'000, patience_ms = 10'000, wait = 0, owner = -1, start_ms = 60'000;
        words >> answer_ms >> patience_ms >> wait >> owner >> start_ms;
        how_.answer_limit     = std::chrono::milliseconds(answer_ms);
        how_.patience         = std::chrono::milliseconds(patience_ms);
        how_.wait_for_upgrade = wait != 0;
        how_.start_limit      = std::chrono::milliseconds(start_ms);
        how_.owner            = owner >= 0 ? std::optional(static_cast<uid_t>(owner)) : std::nullopt;
        ss::error_code ec;
        auto joined = ss::restart::generation::join(name_, how_, ec);
        if (ec) return "error: " + told(ec) + ": " + ss::describe_failure(ec);
        here_ = std::move(joined);
        return here_.is_successor() ? "successor of " + std::to_string(here_.predecessor().pid) : std::string("first");
    }

    std::string listen(const std::string& name)
    {
        listener_ = here_.listen(name, ss::socket_address::loopback(0));
        ss::socket_address bound;
        socklen_t size = ss::socket_address::capacity();
        ::getsockname(listener_.native_handle(), bound.data(), &size);
        bound.resize(size);
        return std::to_string(bound.port());
    }

    std::string ready() { return here_.ready(), "ok"; }

    std::string next()
    {
        const test::deadline end(std::chrono::seconds(5) * test::slowness);
        for (;;) {
            ss::error_code ec;
            auto happened = here_.poll(ec);
            if (ec) return "error: " + told(ec);
            if (happened) return describe(*happened);
            pollfd asked{here_.native_handle(), POLLIN, 0};
            if (::poll(&asked, 1, end.left_ms()) == 0) return "nothing";
        }
    }
    std::string wake() // looks when there is something to do, an event or not
    {
        pollfd asked{here_.native_handle(), POLLIN, 0};
        ::poll(&asked, 1, test::deadline().left_ms());
        return look();
    }
    std::string look()
    {
        ss::error_code ec;
        auto happened = here_.poll(ec);
        return ec ? "error: " + told(ec) : happened ? describe(*happened) : std::string("nothing");
    }

    std::string accept()
    {
        pollfd asked{listener_.native_handle(), POLLIN, 0};
        ::poll(&asked, 1, test::deadline().left_ms());
        return add(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    }

    // rest: "connection tag carry"; a carry of digits is that many bytes of the pattern
    std::string give(const std::string& rest)
    {
        std::istringstream words(rest);
        int number = 0;
        ss::carry with;
        std::string text;
        words >> number >> with.tag >> text;
        std::vector<std::byte> bytes;
        if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos)
            bytes = test::carry_pattern(1, std::stoul(text));
        else
            bytes.assign(std::as_bytes(std::span(text)).begin(), std::as_bytes(std::span(text)).end());
        with.bytes = bytes;
        ss::error_code ec;
        const auto gift = here_.give(connections_.at(number).descriptor(), with, ec);
        if (ec) return "error: " + told(ec);
        connections_.at(number).release();
        connections_.erase(number);
        return std::to_string(gift);
    }

    std::string finish()
    {
        ss::error_code ec;
        here_.finish(ec);
        return ec ? "error: " + told(ec) : "ok";
    }

    std::string take(const std::string& gift)
    {
        ss::error_code ec;
        auto taken = here_.take(std::stoull(gift), ec);
        if (ec) return "error: " + told(ec);
        return add(taken.socket.release()) + " " + std::to_string(taken.tag) + " " + text_of(taken.bytes);
    }

    std::string decline(const std::string& gift)
    {
        here_.decline(std::stoull(gift), "unknown tag");
        return "ok";
    }

    std::string send(const std::string& rest) // "connection text"
    {
        const auto blank = rest.find(' ');
        connections_.at(std::stoi(rest.substr(0, blank))).send(rest.substr(blank + 1));
        return "ok";
    }
    std::string receive(const std::string& rest) // "connection count"
    {
        const auto blank = rest.find(' ');
        return connections_.at(std::stoi(rest.substr(0, blank))).receive(std::stoul(rest.substr(blank + 1)));
    }

    std::string left() const
    {
        std::string all;
        for (const auto& one : here_.left())
            all += std::to_string(one.gift) + " " + std::to_string(one.tag) + " " + told(one.why) + ";";
        return all;
    }
    std::string unclaimed() const
    {
        std::string all;
        for (const auto& one : here_.unclaimed())
            all += one + ";";
        return all;
    }
    // As many more as that.
    static std::string limit_descriptors(int more)
    {
        const int lowest = ::dup(STDERR_FILENO);
        ::close(lowest);
        const rlimit now{static_cast<rlim_t>(lowest + more), 4096};
        return ::setrlimit(RLIMIT_NOFILE, &now) == 0 ? "ok" : "no";
    }
    std::string end() { return here_ = {}, "ok"; }

    // A whole upgrade, between two SIGUSR1 (call_tracer).
    std::string give_all()
    {
        using kind        = ss::restart::event::kind;
        std::string said  = "given";
        std::size_t given = 0, back = 0;
        for (bool ends = false; !ends;) {
            auto one = wait_for_event();
            if (one.what == kind::successor_ready) {
                for (auto& [number, connection] : connections_)
                    here_.give(connection.release(), {std::as_bytes(std::span("half", 4)), 7});
                connections_.clear();
                here_.finish();
            }
            given += one.what == kind::given;
            if (one.what == kind::returned) {
                ++back;
                add(one.connection.socket.release());
                if (text_of(one.connection.bytes) != "'half'") throw std::runtime_error("other bytes came back");
            }
            ends = one.what == kind::replaced || one.what == kind::successor_failed;
            said = name_of(one.what) + " " + std::to_string(given) + " " + std::to_string(back);
        }
        return said;
    }
    std::string until_failed()
    {
        using kind = ss::restart::event::kind;
        std::string said;
        for (;;) {
            auto one = wait_for_event();
            said += name_of(one.what) + " ";
            if (one.what == kind::successor_failed) return said;
        }
    }
    std::string take_all()
    {
        using kind = ss::restart::event::kind;
        if (join("") == "first") return "first 0";
        listen("http");
        ready();
        for (;;) {
            auto one = wait_for_event();
            if (one.what == kind::offered) {
                ss::error_code ec;
                auto taken = here_.take(one.gift, ec);
                if (ec == std::errc::operation_would_block) continue; // it comes again
                if (ec) throw ss::system_error(ec);
                if (text_of(taken.bytes) != "'half'") throw std::runtime_error("other bytes came");
                add(taken.socket.release());
            }
            if (one.what == kind::serving || one.what == kind::dismissed)
                return name_of(one.what) + " " + std::to_string(connections_.size());
        }
    }
    std::string serve_all() // one answer on each connection
    {
        for (auto& [number, connection] : connections_)
            if (connection.receive(4) == "ping") connection.send("pong");
        return std::to_string(connections_.size());
    }

    ss::restart::generation& here() { return here_; }

private:
    std::string add(int descriptor)
    {
        if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "accept4");
        connections_.emplace(next_, test::plain_socket(descriptor));
        return std::to_string(next_++);
    }

    ss::restart::event wait_for_event()
    {
        const test::deadline end;
        for (;;) {
            if (auto one = here_.poll()) return std::move(*one);
            pollfd asked{here_.native_handle(), POLLIN, 0};
            if (::poll(&asked, 1, end.left_ms()) == 0) throw std::runtime_error("no event came");
        }
    }

    std::string describe(ss::restart::event& one)
    {
        using kind       = ss::restart::event::kind;
        std::string said = name_of(one.what);
        if (one.what == kind::given) said += " " + std::to_string(one.gift);
        if (one.what == kind::offered)
            said += " " + std::to_string(one.gift) + " " + std::to_string(one.tag) + " " + std::to_string(one.size);
        if (one.what == kind::returned)
            said += " " + std::to_string(one.gift) + " as " + add(one.connection.socket.release()) + " " + std::to_string(one.tag) +
                    " " + text_of(one.connection.bytes);
        if (one.why) said += ": " + told(one.why) + ": " + one.text;
        return said;
    }

    std::string name_;
    ss::restart::options how_;
    ss::restart::generation here_;
    ss::restart::descriptor listener_;
    std::map<int, test::plain_socket> connections_;
    int next_ = 0;
};

} // namespace

test::role_context::handlers test::generation_verbs(const std::string& name, const std::string& directory)
{
    const auto one = std::make_shared<generation_of_test>(name, directory);
    return {
        {"join", [one](const std::string& rest) { return one->join(rest); }},
        {"listen", [one](const std::string& rest) { return one->listen(rest); }},
        {"ready", [one](const std::string&) { return one->ready(); }},
        {"next", [one](const std::string&) { return one->next(); }},
        {"look", [one](const std::string&) { return one->look(); }},
        {"wake", [one](const std::string&) { return one->wake(); }},
        {"accept", [one](const std::string&) { return one->accept(); }},
        {"give", [one](const std::string& rest) { return one->give(rest); }},
        {"finish", [one](const std::string&) { return one->finish(); }},
        {"take", [one](const std::string& rest) { return one->take(rest); }},
        {"decline", [one](const std::string& rest) { return one->decline(rest); }},
        {"send", [one](const std::string& rest) { return one->send(rest); }},
        {"receive", [one](const std::string& rest) { return one->receive(rest); }},
        {"left", [one](const std::string&) { return one->left(); }},
        {"unclaimed", [one](const std::string&) { return one->unclaimed(); }},
        {"end", [one](const std::string&) { return one->end(); }},
        {"give_all", [one](const std::string&) { return between_signals([&] { return one->give_all(); }); }},
        {"take_all", [one](const std::string&) { return between_signals([&] { return one->take_all(); }); }},
        {"until_failed", [one](const std::string&) { return between_signals([&] { return one->until_failed(); }); }},
        {"serve_all", [one](const std::string&) { return one->serve_all(); }},
        {"keep",
         [one](const std::string& rest) { // a descriptor that lasts
             one->here().keep(rest, STDERR_FILENO);
             return std::string("ok");
         }},
        {"inherit", [one](const std::string& rest) { return std::string(one->here().inherit(rest) ? "there" : "none"); }},
        {"fork",
         [](const std::string&) { // a child that lives on
             const pid_t child = ::fork();
             if (child == 0)
                 for (;;)
                     ::pause();
             return std::to_string(child);
         }},
        {"no_more_descriptors", [one](const std::string&) { return one->limit_descriptors(0); }},
        {"join_without_descriptors",
         [one](const std::string&) { // room for those of its own, and not for a listener
             one->limit_descriptors(5);
             return one->join("");
         }},
        {"passed",
         [](const std::string& rest) { // does what a service manager does before it executes the program
             static test::plain_listener manager_s;
             ::dup2(manager_s.descriptor(), 3);
             ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
             ::setenv("LISTEN_FDS", "1", 1);
             ::setenv("LISTEN_FDNAMES", rest.c_str(), 1);
             return std::to_string(manager_s.port());
         }},
        {"become_user",
         [](const std::string& rest) {
             const auto user = static_cast<uid_t>(std::stoul(rest));
             return std::string(::setgid(user) == 0 && ::setuid(user) == 0 ? "ok" : "no");
         }},
    };
}

/// args: the name of the service, the directory
SHAREDSOCK_CHILD_ROLE(generation)
{
    role.raise_channel();
    return role.serve(test::generation_verbs(role.args.at(0), role.args.at(1)));
}
