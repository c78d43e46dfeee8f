// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "soak/ledger_books.hpp"
#include "support/child_process.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace ledger {

namespace ss = sharedsock;

/// The scenarios, in the order in which a run starts them.
inline constexpr const char* scenarios[] = {"events", "streams", "forks", "pending", "standard", "closed", "namespaces"};

/// Parts of scenarios that a run may leave out as well.
inline constexpr const char* parts[] = {"losses",    "pass_on", "destroyed", "clones", "threads", "giving",
                                        "receiving", "serving", "inner",     "kills",  "stops"};

struct plan {
    std::uint32_t seed = 0;
    std::vector<std::string> scenarios; ///< those that run
    std::string without;                ///< the parts that are left out, with commas between
    bool leaves_out(const std::string& what) const { return ("," + without + ",").find("," + what + ",") != std::string::npos; }
};

/// Hires the workers, sends to the lines, kills and stops at random, and at each quiet period finds that the books add up, or
/// says in a sentence which do not.
class judge {
public:
    explicit judge(plan how);
    ~judge();
    judge(const judge&)            = delete;
    judge& operator=(const judge&) = delete;

    void run(std::chrono::steady_clock::duration how_long);
    void say(const char* what) const;

    const std::vector<std::string>& findings() const noexcept { return findings_; }
    std::uint64_t quiets() const noexcept { return quiets_; }
    std::uint64_t forks() const;

private:
    struct place {
        std::unique_ptr<test::child_process> process;
        std::string scenario;
        std::uint32_t seed = 0;
        bool inner         = false; // in a pid namespace of its own
    };

    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    void find(const std::string& what) { findings_.push_back(what); }
    std::string name_of(std::uint32_t w) const;

    // ledger_judge.cpp: the random part
    const std::string& next_scenario(std::uint32_t w);
    void hire(std::uint32_t w);
    void dismiss(std::uint32_t w);
    void doubt_what_it_had(std::uint32_t w);
    void disturb();
    void send(std::uint32_t line);
    bool watch();
    void finish();
    template <class Predicate>
    bool comes_true(Predicate predicate); // watches meanwhile

    // ledger_audit.cpp: when all is quiet
    void keep_quiet();
    std::uint64_t waiting(std::uint32_t line) const;
    std::string owner_of(std::uint32_t line) const;
    bool everything_taken() const;
    void report_deaf_owners();
    void check_parcels();
    bool parcels_settled() const;
    bool target_is_here(const parcel& one) const;
    void check_records();
    std::uint32_t missing(std::uint32_t line, std::uint32_t until) const;
    void check_handles();
    void check_segment();

    const plan plan_;
    std::mt19937 random_;
    test::scratch_directory directory_;
    const std::string name_ = test::unique_name();
    const ss::segment_options options_;
    const std::string books_path_;
    shared_books books_;
    ss::segment segment_;
    std::vector<ss::shared_socket> held_;
    std::vector<int> peers_;
    std::shared_ptr<void> serving_;
    place staff_[places];
    std::uint32_t hired_ = 0;
    std::uint32_t sent_[lines]{}, checked_[lines]{}, doubt_[lines]{}; // records: numbers, and how many may be with the killed
    std::uint32_t checked_parcels_ = 0;
    std::uint64_t kills_ = 0, stops_ = 0, quiets_ = 0, lost_ = 0, hand_overs_ = 0;
    std::vector<std::string> findings_;
};

} // namespace ledger
