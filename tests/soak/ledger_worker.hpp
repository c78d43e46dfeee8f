// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "soak/ledger_books.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>

namespace ledger {

namespace ss = sharedsock;
using namespace std::chrono_literals;

/// How a forked child ends.
enum class ending { at_once, in_order, by_exec };

/// The orders that a worker gets when it starts.
struct assignment {
    std::string segment, directory;
    std::uint32_t place = 0;
    std::uint32_t seed  = 0;
    std::set<std::string> without; ///< scenarios that the run leaves out, to find causes
};

/// One process of the ledger: acts until it is told to end, keeps the quiet periods, and books its steps. A scenario is
/// its `act`. Only public calls of the library are used.
class worker {
public:
    worker(const assignment& told, shared_books& kept);
    virtual ~worker();
    worker(const worker&)            = delete;
    worker& operator=(const worker&) = delete;

    void work();

protected:
    virtual void act() = 0;
    /// One step of a quiet period: hears events for a moment, and takes the records that they tell of.
    virtual void rest() = 0;
    /// Waits a moment, for messages and deaths, as a process does that has nothing else to wait for.
    void pause();
    /// A handle to a line came by a hand-over.
    virtual void keep(std::uint32_t line, ss::shared_socket&& opened);
    /// Ends the operations that would take records after this worker has ended.
    virtual void let_go() {}

    /// Puts a finding on the desk, and ends this process.
    [[noreturn]] void find(const char* format, ...) __attribute__((format(printf, 2, 3)));
    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    bool without(const char* scenario) const { return told_.without.contains(scenario); }
    int depth() const noexcept { return depth_; } ///< 0: the worker, 1: its child, 2: a child of that

    /// Whether the call succeeded. Errors that other processes may cause are none; any other is a finding.
    bool went_well(const ss::error_code& ec, const char* what);

    // Lines: the judge's sockets.

    ss::shared_socket open_line(std::uint32_t line); ///< closed if that did not work
    void count_handle(std::uint32_t line, int change);
    void book(std::uint32_t line, std::span<const record> taken, bool in_order = true);
    bool take_some(ss::shared_socket& from, std::uint32_t line);
    /// Nothing, also after an error that other processes may cause: a child's handle may not have been counted at the fork.
    std::optional<ss::registration_info> registration(const ss::shared_socket& of);
    /// Says that a take of the line is under way, until it is called with -1.
    void hold(std::uint32_t line, int change) { desk_.in_hand[line].fetch_add(static_cast<std::uint32_t>(change)); }

    // Hand-overs.

    ss::process_id somebody(); ///< an attached worker, perhaps this one; no process if there is none
    std::uint32_t new_parcel(ss::process_id target, std::uint32_t line = nowhere, std::size_t count = 0);
    void parcel_given(std::uint32_t tag, const ss::error_code& ec);
    void parcel_came(ss::handed_over&& got);
    void receive_all(const ss::segment& where);
    bool arrived(std::uint32_t tag) const { return kept_->parcels[tag % hand_overs].arrived == 1; }

    // Processes.

    /// Forks, lets the child do `in_child` and end, and waits for it. `how_far` describes the steps before, for a finding.
    void fork_child(const std::function<void()>& in_child, ending how, const std::string& how_far, bool raw = false,
                    const std::function<void()>& meanwhile = {});
    void enter(doing what) { enter(depth_, what); }
    ss::segment attach_again(); ///< another attachment of this process

    const assignment told_;
    shared_books& kept_;
    desk& desk_;
    std::mt19937 random_;
    ss::segment segment_;

private:
    void enter(int depth, doing what);
    [[noreturn]] void end_child(ending how);
    void wait_for_child(pid_t child, const std::string& how_far);
    void announce();
    static ss::segment_options options(const assignment& told);

    int depth_ = 0;
    std::uint32_t last_[lines]{}; // the number after that of the last record that this process took
};

/// A worker of the scenario of this name; throws for an unknown one.
std::unique_ptr<worker> make_worker(const std::string& scenario, const assignment& told, shared_books& kept);

/// Runs before the worker of a scenario attaches.
void prepare_process(const std::string& scenario);

std::unique_ptr<worker> make_events(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_streams(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_forks(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_pending(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_standard(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_closed(const assignment& told, shared_books& kept);
std::unique_ptr<worker> make_namespaces(const assignment& told, shared_books& kept);

inline std::uint64_t packed(ss::process_id one) { return (std::uint64_t{one.generation} << 32 | one.index) + 1; }
inline ss::process_id unpacked(std::uint64_t one)
{
    if (one == 0) return {};
    return {static_cast<std::uint32_t>(one - 1), static_cast<std::uint32_t>((one - 1) >> 32)};
}

/// A record of a process that uses a connection alone.
template <class T>
std::span<const std::byte> bytes_of(const T& value)
{
    return std::as_bytes(std::span(&value, 1));
}

} // namespace ledger
