// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A supervisor in a process of its own, and the commands by which a test drives it.
#pragma once

#include "support/child_process.hpp"
#include "support/deadline.hpp"
#include "support/descriptors.hpp"
#include "support/role.hpp"

#include <sharedsock/prefork.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

namespace test {

namespace prefork = sharedsock::prefork;

/// "limit.deaths=3 drain.asked=50": options, times in milliseconds.
inline prefork::options read_options(const std::string& text)
{
    prefork::options how;
    how.limit.deaths        = 0;
    how.respawn.first       = std::chrono::milliseconds(1);
    how.respawn.most        = std::chrono::milliseconds(5);
    how.parent_death_signal = SIGKILL; // a test that fails leaves no worker behind
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const auto equals                                        = word.find('=');
        const std::string name                                   = word.substr(0, equals);
        const unsigned long long number                          = std::stoull(word.substr(equals + 1));
        const std::map<std::string, std::function<void()>> known = {
            {"workers", [&] { how.workers = number; }},
            {"limit.deaths", [&] { how.limit.deaths = static_cast<std::uint32_t>(number); }},
            {"drain.asked", [&] { how.drain.asked = std::chrono::milliseconds(number); }},
            {"drain.terminated", [&] { how.drain.terminated = std::chrono::milliseconds(number); }},
            {"start_limit", [&] { how.start_limit = std::chrono::milliseconds(number); }},
            {"max_unavailable", [&] { how.max_unavailable = number; }},
            {"surge", [&] { how.surge = number; }},
            {"watchdog", [&] { how.watchdog = std::chrono::milliseconds(number); }},
            {"parent_death_signal", [&] { how.parent_death_signal = static_cast<int>(number); }},
        };
        known.at(name)();
    }
    return how;
}

/// The role's side. It polls the supervisor only while it is asked something, so that nothing happens behind the test's back.
///
///     start   roll   stop   stop_now   resize N
///     wait_ready MS         "ready", or the error
///     calm                  polls until all wanted workers are ready and no restart is under way, or all has ended, or it has
///                           given up; then as `log`
///     until PLACE STATE     polls until a place is in a state; then as `log`
///     until_generation PLACE N   polls until a place has its n-th worker; then as `log`
///     poll                  polls once; then as `log`
///     log                   the changes since the last time: "0 starting, 0 ready, 0 ended (was killed by signal 9)"
///     status                "0:ready:1 1:backing off:2": place, state, generation
///     pids   loads   descriptors   children   failure PLACE   reason PLACE
class crew_role {
public:
    static prefork::options logging(prefork::options how, std::string& log)
    {
        how.on_change = [&log](const prefork::worker_status& one) {
            if (!log.empty()) log += ", ";
            log += std::to_string(one.place) + ' ' + to_string(one.state);
            if (one.state == prefork::worker_state::ended && one.pid != 0) log += " (" + to_string(*one.last_exit) + ')';
        };
        return how;
    }

    explicit crew_role(prefork::supervisor& all, std::string& log) : all_(all), log_(log) {}

    int serve(role_context& role, role_context::handlers more = {})
    {
        const auto verb = [&more](const char* name, std::function<void()> act) {
            more[name] = [act = std::move(act)](const std::string&) {
                act();
                return std::string("done");
            };
        };
        verb("start", [this] { all_.start(); });
        verb("roll", [this] { all_.roll(); });
        verb("stop", [this] { all_.stop(); });
        verb("stop_now", [this] { all_.stop_now(); });
        more["resize"] = [this](const std::string& rest) {
            sharedsock::error_code ec;
            all_.resize(std::stoull(rest), ec);
            return ec ? ec.message() : "done";
        };
        more["wait_ready"] = [this](const std::string& rest) {
            sharedsock::error_code ec;
            all_.wait_ready(std::chrono::milliseconds(std::stoull(rest)), ec);
            return ec ? ec.message() : "ready";
        };
        more["calm"] = [this](const std::string&) {
            return pump([this] {
                const auto now = all_.crew();
                return now.finished || now.given_up ||
                       (!now.stopping && !now.rolling && now.ready == all_.status().size() && now.ready == now.wanted);
            });
        };
        more["until"] = [this](const std::string& rest) {
            std::istringstream words(rest);
            std::size_t place = 0;
            std::string state;
            words >> place;
            std::getline(words >> std::ws, state);
            return pump([&] { return state_of(place) == state; });
        };
        more["until_generation"] = [this](const std::string& rest) {
            std::istringstream words(rest);
            std::size_t place = 0, generation = 0;
            words >> place >> generation;
            return pump([&] { return all_.status().at(place).generation >= generation; });
        };
        more["poll"] = [this](const std::string&) {
            sharedsock::error_code ec;
            all_.poll(ec);
            return std::exchange(log_, {});
        };
        more["log"]    = [this](const std::string&) { return std::exchange(log_, {}); };
        more["status"] = [this](const std::string&) {
            return listed([](const auto& one) {
                return std::to_string(one.place) + ':' + to_string(one.state) + ':' + std::to_string(one.generation);
            });
        };
        more["pids"]     = [this](const std::string&) { return listed([](const auto& one) { return std::to_string(one.pid); }); };
        more["loads"]    = [this](const std::string&) { return listed([](const auto& one) { return std::to_string(one.load); }); };
        more["restarts"] = [this](const std::string&) {
            return listed([](const auto& one) { return std::to_string(one.restarts); });
        };
        more["failure"]     = [this](const std::string& rest) { return all_.status().at(std::stoull(rest)).failure.message(); };
        more["reason"]      = [this](const std::string& rest) { return all_.status().at(std::stoull(rest)).reason; };
        more["descriptors"] = [](const std::string&) { return std::to_string(open_descriptors()); };
        more["children"]    = [](const std::string&) { return std::to_string(children()); };
        return role.serve(more);
    }

private:
    template <class Condition>
    std::string pump(Condition holds)
    {
        const deadline end;
        for (sharedsock::error_code ec; !holds();) {
            pollfd ready{all_.native_handle(), POLLIN, 0};
            if (::poll(&ready, 1, end.left_ms()) == 0)
                return "too late: " + listed([](const auto& one) { return std::to_string(one.place) + to_string(one.state); });
            all_.poll(ec);
        }
        return std::exchange(log_, {});
    }

    template <class Words>
    std::string listed(Words of) const
    {
        std::string text;
        for (const prefork::worker_status& one : all_.status())
            text += (text.empty() ? "" : " ") + of(one);
        return text;
    }

    std::string state_of(std::size_t place) const
    {
        for (const prefork::worker_status& one : all_.status())
            if (one.place == place) return to_string(one.state);
        return "vacant";
    }

    static std::size_t children(); // the dead that no process has reaped included

    prefork::supervisor& all_;
    std::string& log_;
};

inline std::size_t crew_role::children()
{
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::FILE* const stat = std::fopen((entry.path() / "stat").c_str(), "re");
        if (stat == nullptr) continue; // the process has ended meanwhile
        int parent = 0;
        count += std::fscanf(stat, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == ::getpid();
        std::fclose(stat);
    }
    return count;
}

/// The test's side.
class crew_process : public child_process {
public:
    using child_process::child_process;

    /// Sends a command, which has to be answered with "done".
    void tell_done(const std::string& command)
    {
        if (const std::string answer = ask(command); answer != "done") throw child_error(command + ": " + answer);
    }

    std::vector<pid_t> pids()
    {
        std::vector<pid_t> all;
        std::istringstream words(ask("pids"));
        for (pid_t one = 0; words >> one;) {
            if (one <= 0) throw child_error("a worker does not run: " + ask("status")); // a test would kill itself and more
            all.push_back(one);
        }
        return all;
    }
};

} // namespace test
