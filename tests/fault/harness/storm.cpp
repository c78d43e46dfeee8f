// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The judge of a storm: it starts the workers and writes to the sockets, kills, stops and replaces them, makes all quiet now and
// then, and looks.
#include "fault/harness/storm.hpp"

#include "fault/harness/storm_properties.hpp"
#include "fault/harness/storm_theatre.hpp"
#include "fault/harness/storm_worker.hpp"
#include "support/deadline.hpp"
#include "support/descriptors.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <random>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace storm {
namespace {

using namespace std::chrono_literals;

class judge {
public:
    explicit judge(const storm_options& options) : options_(options), random_(options.seed)
    {
        member_.attach();
        for (std::uint32_t i = 0; i < sockets; ++i) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
                throw std::system_error(errno, std::generic_category(), "socketpair");
            }
            place& at  = theatre_.places[i];
            at.ends[0] = unique_fd(ends[0]);
            at.ends[1] = unique_fd(ends[1]);
            error_code ec;
            const socket_and_handle made = member_->create_socket({.cookie = i + 1}, ec);
            at.socket                    = made.socket;
            handles_.push_back(made);
        }
    }

    ~judge()
    {
        for (pid_t& process : processes_) {
            end(process);
        }
    }

    storm_report run()
    {
        const auto over = std::chrono::steady_clock::now() + options_.duration;
        while (std::chrono::steady_clock::now() < over && report_.findings.size() < (options_.first_finding ? 1 : 20)) {
            for (int round = 0; round < 75; ++round) {
                rage();
            }
            if (any(2) == 0) {
                abate();
            }
            settle();
        }
        finish();
        return std::move(report_);
    }

private:
    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

    void find(const std::string& what) { report_.findings.push_back(what); }

    void replace_the_dead()
    {
        for (pid_t& process : processes_) {
            int status = 0;
            if (process > 0 && ::waitpid(process, &status, WNOHANG) == process) {
                process = 0; // it was not killed
                find("a worker ended by itself with status " + std::to_string(status));
            }
            if (process == 0) {
                const auto seed = static_cast<std::uint32_t>(random_());
                process         = theatre_.segment.fork([&] { worker(theatre_, seed).work(); });
            }
        }
    }

    static void end(pid_t& process)
    {
        if (process > 0) {
            ::kill(process, SIGKILL);
            ::waitpid(process, nullptr, 0);
            process = 0;
        }
    }

    void write_something()
    {
        for (std::uint32_t count = any(6); count > 0; --count) {
            const char bytes[32]{};
            static_cast<void>(::write(theatre_.places[any(sockets)].ends[1].get(), bytes, 1 + any(32)));
        }
    }

    void rage()
    {
        replace_the_dead();
        write_something();
        ::usleep(any(1500));
        if (options_.stops && any(8) == 0) {
            const pid_t stopped = processes_[any(workers)];
            ::kill(stopped, SIGSTOP);
            ++report_.stops;
            ::usleep(any(5000));
            ::kill(stopped, SIGCONT);
        }
        if (any(2) == 0) {
            end(processes_[any(workers)]);
            ++report_.kills;
        }
        if (any(8) == 0) {
            member_->sweep_dead();
        }
    }

    // No process dies any more, and all dead ones are swept: a sweep rings all holders, and so hides which should have been rung.
    // Then the judge writes no more, and the data that is left is for the workers that read in passing.
    void abate()
    {
        replace_the_dead();
        ::usleep(2000);
        member_->sweep_dead();
        for (int round = 0; round < 10; ++round) {
            write_something();
            ::usleep(any(500));
        }
        ::usleep(any(1000));
    }

    void settle()
    {
        replace_the_dead();
        ghost_.idle  = 0;
        ghost_.quiet = true; // the workers see it within their 1 ms; no process rings them
        member_->sweep_dead();
        member_->sweep_dead(); // records that a stopped process had kept from the first sweep
        const auto begin = std::chrono::steady_clock::now();
        const auto limit = begin + 3s * slowness;
        const auto calm  = [&] {
            return ghost_.idle.load() >= workers && unread_data(theatre_, member_).empty() && untold(theatre_, member_).empty();
        };
        while (!calm() && std::chrono::steady_clock::now() < limit) {
            ::poll(nullptr, 0, 1);
        }
        settled_.push_back(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count()));
        ++report_.quiets;
        if (ghost_.idle.load() < workers) {
            find("only " + std::to_string(ghost_.idle.load()) + " workers came to rest");
        }
        for (const std::string& what :
             {unread_data(theatre_, member_), untold(theatre_, member_), left_standing(theatre_, member_), audit()}) {
            if (!what.empty()) {
                find(what);
            }
        }
        count("P1: an event of a registration older than a fenced one was delivered", ghost_.p1);
        count("P2: two deliveries at a time", ghost_.p2);
        count("P6: a ticket was redeemed or withdrawn twice", ghost_.p6);
        ghost_.quiet = false;
        for (std::uint32_t process = 0; process < storm_sizes.processes; ++process) {
            member_->ring(process, no_index);
        }
        member_.heard();
    }

    std::string audit()
    {
        const std::string found = member_.audit();
        return found.empty() ? found : "P4: " + found;
    }

    void finish()
    {
        for (pid_t& process : processes_) {
            end(process);
            ++report_.kills;
        }
        member_->sweep_dead();
        if (const std::string found = audit(); !found.empty()) {
            find(found);
        }
        error_code ec;
        for (const socket_and_handle& each : handles_) {
            member_->close_handle(each, 0, ec);
        }
        if (const std::string left = member_.leftover(); !left.empty()) {
            find("P4: at the end " + left);
        }
        const segment_header& header = *member_->bytes().header;
        report_.events               = ghost_.events;
        report_.spurious             = ghost_.spurious;
        report_.refused              = ghost_.refused;
        report_.take_overs           = ghost_.take_overs;
        report_.fenced               = ghost_.fenced;
        report_.pending              = ghost_.pending;
        report_.foreign_reads        = ghost_.foreign_reads;
        report_.told                 = ghost_.told;
        report_.successions          = ghost_.successions;
        report_.passed_on            = ghost_.passed_on;
        report_.closes               = ghost_.closes;
        report_.redeemed             = ghost_.redeemed;
        report_.withdrawn            = ghost_.withdrawn;
        report_.lock_timeouts        = ghost_.lock_timeouts;
        report_.sweeps               = header.sweeps;
        report_.owner_deaths         = header.owner_deaths;
        std::sort(settled_.begin(), settled_.end());
        if (!settled_.empty()) {
            report_.settle_us_median = settled_[settled_.size() / 2];
            report_.settle_us_max    = settled_.back();
        }
    }

    void count(const char* what, std::atomic<std::uint64_t>& ghost)
    {
        if (const std::uint64_t times = ghost.exchange(0); times != 0) {
            find(std::string(what) + ", " + std::to_string(times) + " times");
        }
    }

    const storm_options options_;
    std::mt19937 random_;
    theatre theatre_;
    ghosts& ghost_ = theatre_.ghost;
    core_member member_{theatre_.segment};
    std::vector<socket_and_handle> handles_;
    std::array<pid_t, workers> processes_{};
    std::vector<std::uint64_t> settled_;
    storm_report report_;
};

} // namespace
} // namespace storm

storm_report run_storm(const storm_options& options)
{
    const std::size_t before = open_descriptors();
    storm_report report;
    report                  = storm::judge(options).run();
    const std::size_t after = open_descriptors();
    if (after != before) {
        report.findings.push_back("P4: " + std::to_string(after) + " descriptors are open instead of " + std::to_string(before));
    }
    return report;
}

std::string storm_report::text() const
{
    char text[800];
    std::snprintf(text, sizeof text,
                  "%llu kills, %llu stops: %llu events, %llu spurious, %llu edges refused, %llu take-overs (%llu fenced, %llu "
                  "pending), %llu foreign reads, %llu cancellations told, %llu successions, %llu passed on, %llu closes, "
                  "%llu tickets redeemed, %llu withdrawn, %llu lock time-outs, %llu sweeps, %llu locks of the dead, "
                  "%llu quiet periods (settled in %.1f ms, at most %.1f ms), %zu findings",
                  (unsigned long long)kills, (unsigned long long)stops, (unsigned long long)events, (unsigned long long)spurious,
                  (unsigned long long)refused, (unsigned long long)take_overs, (unsigned long long)fenced,
                  (unsigned long long)pending, (unsigned long long)foreign_reads, (unsigned long long)told,
                  (unsigned long long)successions, (unsigned long long)passed_on, (unsigned long long)closes,
                  (unsigned long long)redeemed, (unsigned long long)withdrawn, (unsigned long long)lock_timeouts,
                  (unsigned long long)sweeps, (unsigned long long)owner_deaths, (unsigned long long)quiets,
                  static_cast<double>(settle_us_median) / 1e3, static_cast<double>(settle_us_max) / 1e3, findings.size());
    return text;
}

} // namespace test
