// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "soak/ledger_judge.hpp"

#include "support/deadline.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ledger {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds settle_limit = std::chrono::seconds(60) * test::slowness; // a guard against hangs, no measure

} // namespace

judge::judge(plan how)
    : plan_(std::move(how)),
      random_(plan_.seed),
      options_{.sockets = 1024, .processes = 128, .directory = directory_.path(), .patience = 200ms},
      books_path_(directory_.path() / "books"),
      books_(books_path_),
      segment_(ss::segment::create(name_, options_))
{
    ::prctl(PR_SET_CHILD_SUBREAPER, 1); // the judge reaps the children of a killed worker
    for (std::uint32_t i = 0; i < lines; ++i) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        held_.push_back(ss::shared_socket::adopt(segment_, ends[0]));
        peers_.push_back(ends[1]);
        books_->socket_id[i] = held_[i].id();
        segment_.publish("s" + std::to_string(i), held_[i]);
    }
    serving_ = segment_.serve_in_thread();
    for (std::uint32_t w = 0; w < places; ++w)
        hire(w);
}

judge::~judge()
{
    for (std::uint32_t w = 0; w < places; ++w)
        if (staff_[w].process) dismiss(w);
    for (const int peer : peers_)
        ::close(peer);
    serving_.reset();
    held_.clear();
    segment_ = {};
    ss::error_code ignored;
    ss::segment::remove(name_, options_, true, ignored);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

std::string judge::name_of(std::uint32_t w) const
{
    return "worker " + std::to_string(w) + " (" + staff_[w].scenario + ", seed " + std::to_string(staff_[w].seed) +
           (staff_[w].inner ? ", in a pid namespace of its own)" : ")");
}

// One that no worker has, so that each is there all the time: without `events` and `streams` no process takes records.
const std::string& judge::next_scenario(std::uint32_t w)
{
    const auto& all      = plan_.scenarios;
    const auto is_played = [&](const std::string& one) {
        for (std::uint32_t other = 0; other < places; ++other)
            if (other != w && staff_[other].process && staff_[other].scenario == one) return true;
        return false;
    };
    const auto missing = std::find_if_not(all.begin(), all.end(), is_played);
    return missing != all.end() ? *missing : all[any(static_cast<std::uint32_t>(all.size()))];
}

void judge::hire(std::uint32_t w)
{
    place& at   = staff_[w];
    at.scenario = next_scenario(w);
    at.seed     = static_cast<std::uint32_t>(random_());
    at.inner    = ::geteuid() == 0 && !plan_.leaves_out("inner") && !plan_.leaves_out("namespaces") && any(4) == 0;
    ++hired_;
    std::memset(books_->desks[w].finding, 0, sizeof books_->desks[w].finding);
    at.process = std::make_unique<test::child_process>(
        "works for the ledger", std::vector<std::string>{name_, options_.directory, std::to_string(w), std::to_string(at.seed),
                                                         books_path_, at.scenario, at.inner ? "inner" : "outer", plan_.without});
    try {
        at.process->wait_for("works");
    } catch (const std::exception& failure) {
        if (books_->desks[w].wrote != 2) find(name_of(w) + " did not start: " + failure.what());
    }
}

// The worker and all its children; nothing of it runs when this returns.
void judge::dismiss(std::uint32_t w)
{
    const pid_t group = staff_[w].process->pid();
    ::kill(-group, SIGKILL);
    staff_[w].process.reset();
    for (int rounds = 0; ::kill(-group, 0) == 0 && rounds < 20'000; ++rounds) {
        ::waitpid(-group, nullptr, WNOHANG);
        ::poll(nullptr, 0, 1); // their deaths are the kernel's work
    }
    doubt_what_it_had(w);
}

void judge::doubt_what_it_had(std::uint32_t w)
{
    desk& at   = books_->desks[w];
    at.process = 0;
    for (std::uint32_t i = 0; i < lines; ++i) {
        doubt_[i] += at.in_hand[i].exchange(0) * static_cast<std::uint32_t>(handful);
        at.handles[i] = 0;
    }
    for (stage& each : at.stages)
        each.active = false;
    at.settled = 0;
    at.wrote   = 0;
}

void judge::run(clock_type::duration how_long)
{
    const auto end = clock_type::now() + how_long;
    auto tell      = clock_type::now() + 60s;
    while (clock_type::now() < end && findings_.empty()) {
        for (int disturbance = 0; disturbance < 25 && watch(); ++disturbance)
            disturb();
        if (findings_.empty()) keep_quiet();
        if (clock_type::now() > tell) {
            say("so far");
            tell += 60s;
        }
    }
    if (findings_.empty()) finish();
}

void judge::disturb()
{
    for (auto count = any(40); count > 0; --count)
        send(any(lines));
    const std::uint32_t w = any(places);
    // Scenes of their own have to come to their end more often than not.
    const bool slow = staff_[w].scenario == "namespaces" || staff_[w].scenario == "closed" || staff_[w].scenario == "standard";
    const auto lot  = any(12);
    if (lot == 0 && !(slow && any(4) != 0) && !plan_.leaves_out("kills")) {
        dismiss(w);
        hire(w);
        ++kills_;
    } else if (lot == 1 && !plan_.leaves_out("stops") && !staff_[w].inner) {
        ++books_->desks[w].stops;
        ::kill(staff_[w].process->pid(), SIGSTOP);
        for (auto count = any(40); count > 0; --count)
            send(any(lines));
        ::poll(nullptr, 0, static_cast<int>(any(20)));
        ::kill(staff_[w].process->pid(), SIGCONT);
        ++stops_;
    } else {
        ::poll(nullptr, 0, static_cast<int>(any(20))); // leaves them time to come to different places; orders nothing
    }
}

void judge::send(std::uint32_t line)
{
    for (auto count = 1 + any(12); count > 0; --count) {
        if (sent_[line] - checked_[line] == ring) return;
        const record one{line, sent_[line]};
        const ssize_t size = ::send(peers_[line], &one, sizeof one, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0) return;
        ++sent_[line];
    }
}

namespace {

std::chrono::nanoseconds age_of(const stage& one)
{
    const std::uint64_t now = now_ns();
    return std::chrono::nanoseconds(now - std::min(now, one.since_ns.load()));
}

// A child that ends may be dead already while its parent is busy: that hangs only if the parent waits for it.
bool overdue(const desk& at, std::uint32_t depth)
{
    const stage& one = at.stages[depth];
    if (!one.active || one.what == doing::rests || age_of(one) < limit_of(one.what)) return false;
    if (one.what != doing::ends || depth == 0) return true;
    const stage& parent = at.stages[depth - 1];
    return parent.what == doing::waits_for_child && age_of(parent) > limit_of(doing::ends);
}

} // namespace

// Whether the run goes on: no worker has a finding, has died or hangs.
bool judge::watch()
{
    for (std::uint32_t w = 0; w < places; ++w) {
        desk& at = books_->desks[w];
        if (at.wrote == 2) {
            find(name_of(w) + ": " + at.finding);
            at.wrote = 3;
            continue;
        }
        siginfo_t ended{};
        if (::waitid(P_PID, static_cast<id_t>(staff_[w].process->pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            ended.si_pid != 0 && at.wrote == 0 && !books_->end) {
            find(name_of(w) + " ended by itself, with " + (ended.si_code == CLD_EXITED ? "exit code " : "signal ") +
                 std::to_string(ended.si_status));
            continue;
        }
        for (std::uint32_t depth = depths; depth-- > 0;)
            if (overdue(at, depth)) {
                const stage& one = at.stages[depth];
                find(name_of(w) +
                     (depth == 0   ? ""
                      : depth == 1 ? ": its child"
                                   : ": a child of its child") +
                     " " + sentence(one.what) + ", for " + std::to_string(age_of(one) / std::chrono::seconds(1)) + " s");
                break;
            }
    }
    return findings_.empty();
}

template <class Predicate>
bool judge::comes_true(Predicate predicate)
{
    const test::deadline end(settle_limit);
    while (!predicate()) {
        if (end.passed() || !watch()) return false;
        ::poll(nullptr, 0, 2); // leaves the processor to the worker that makes it true
    }
    return true;
}

// All workers end, and the books add up to the last record.
void judge::finish()
{
    books_->end      = true;
    const auto ended = [&](std::uint32_t w) {
        siginfo_t end{};
        return ::waitid(P_PID, static_cast<id_t>(staff_[w].process->pid()), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               end.si_pid != 0;
    };
    const bool all = comes_true([&] {
        for (std::uint32_t w = 0; w < places; ++w)
            if (!ended(w)) return false;
        return true;
    });
    if (!watch()) return;
    for (std::uint32_t w = 0; w < places; ++w) {
        if (!all && !ended(w)) {
            find(name_of(w) + " does not end");
            continue;
        }
        if (const int result = staff_[w].process->wait(); result != 0) find(name_of(w) + " ended with " + std::to_string(result));
        doubt_what_it_had(w);
    }
    if (!findings_.empty()) return;
    segment_.sweep();
    check_parcels();
    check_records();
    check_handles();
    check_segment();
}

std::uint64_t judge::forks() const
{
    std::uint64_t sum = 0;
    for (const desk& at : books_->desks)
        sum += at.forks;
    return sum;
}

void judge::say(const char* what) const
{
    std::uint64_t operations = 0, episodes = 0, sent = 0;
    for (const desk& at : books_->desks) {
        operations += at.operations;
        episodes += at.episodes;
    }
    for (const std::uint32_t count : sent_)
        sent += count;
    std::printf(
        "%s: %llu public calls and %llu episodes by %u workers, %llu forks, %llu of %llu records taken, %llu with the killed, "
        "%llu hand-overs, %llu kills, %llu stops, %llu quiet periods\n",
        what, (unsigned long long)operations, (unsigned long long)episodes, hired_, (unsigned long long)forks(),
        (unsigned long long)books_->received, (unsigned long long)sent, (unsigned long long)lost_,
        (unsigned long long)books_->next_parcel, (unsigned long long)kills_, (unsigned long long)stops_,
        (unsigned long long)quiets_);
    std::fflush(stdout);
}

} // namespace ledger
