// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The judge's checks when nothing more is sent and no worker acts.
#include "audit/inspection.hpp"
#include "soak/ledger_judge.hpp"
#include "soak/ledger_worker.hpp"
#include "support/eventually.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/ioctl.h>

namespace ledger {

namespace {

constexpr std::chrono::seconds check_limit = std::chrono::seconds(20) * test::slowness;
constexpr std::chrono::seconds quiet_limit = std::chrono::seconds(90) * test::slowness;

} // namespace

void judge::keep_quiet()
{
    const std::uint32_t round = ++books_->quiet;
    ++quiets_;
    const auto settled = [&] {
        for (const desk& at : books_->desks)
            if (at.settled != round && findings_.empty()) return false;
        return true;
    };
    const auto watched = [&] { return settled() || !watch(); };
    if (!test::eventually(watched, quiet_limit)) {
        for (std::uint32_t w = 0; w < places; ++w)
            if (books_->desks[w].settled != round) find(name_of(w) + " does not come to rest");
        return;
    }
    if (!findings_.empty()) return;
    segment_.sweep();
    if (!test::eventually([&] { return everything_taken() || !watch(); }, check_limit)) report_deaf_owners();
    if (findings_.empty()) check_parcels();
    if (findings_.empty()) check_records();
    if (findings_.empty()) check_handles();
    if (findings_.empty()) check_segment();
    if (watch()) ++books_->quiet;
}

std::uint64_t judge::waiting(std::uint32_t line) const
{
    int bytes = 0;
    ::ioctl(held_[line].native_handle(), FIONREAD, &bytes);
    return static_cast<std::uint64_t>(bytes) / sizeof(record);
}

std::string judge::owner_of(std::uint32_t line) const
{
    const auto registered = held_[line].registration();
    if (!registered) return "nobody";
    for (std::uint32_t w = 0; w < places; ++w)
        if (unpacked(books_->desks[w].process) == registered->owner)
            return name_of(w) + ", which " +
                   (registered->kind == ss::registration_kind::operations ? "reads a stream" : "waits for an event object");
    return "process " + to_string(registered->owner) +
           (segment_.alive(registered->owner) ? ", which is no worker" : ", which is dead");
}

// Nothing more comes. The owner of a line takes the records that are there, for it was told.
bool judge::everything_taken() const
{
    for (std::uint32_t i = 0; i < lines; ++i)
        if (held_[i].registration() && waiting(i) != 0) return false;
    return true;
}

void judge::report_deaf_owners()
{
    for (std::uint32_t i = 0; i < lines; ++i)
        if (held_[i].registration() && waiting(i) != 0)
            find("socket " + std::to_string(i) + " has " + std::to_string(waiting(i)) +
                 " records that its owner was not told of: " + owner_of(i));
}

// --- hand-overs ------------------------------------------------------------------------------------------------------

bool judge::target_is_here(const parcel& one) const
{
    for (const desk& at : books_->desks)
        if (at.process != 0 && at.process == one.target) return true;
    return false;
}

bool judge::parcels_settled() const
{
    for (std::uint32_t tag = checked_parcels_; tag != books_->next_parcel; ++tag) {
        const parcel& one = books_->parcels[tag % hand_overs];
        if (one.accepted == 1 && one.arrived == 0 && target_is_here(one)) return false;
    }
    return true;
}

// Each arrives once, if its target lives and its giver was told so; the records of one that did not arrive may be with the dead.
void judge::check_parcels()
{
    const bool settled = test::eventually([&] { return parcels_settled() || !watch(); }, check_limit);
    for (; checked_parcels_ != books_->next_parcel; ++checked_parcels_) {
        parcel& one            = books_->parcels[checked_parcels_ % hand_overs];
        const std::string name = "hand-over " + std::to_string(checked_parcels_) + " of worker " + std::to_string(one.giver);
        if (one.arrived > 1) find(name + " arrived " + std::to_string(one.arrived) + " times");
        if (one.accepted == 2 && one.arrived != 0) find(name + " failed for its giver, and arrived");
        if (!settled && one.accepted == 1 && one.arrived == 0 && target_is_here(one))
            find(name + " was given with success, and never arrived at its target, which lives: process " +
                 to_string(unpacked(one.target)));
        if (one.arrived == 0 && one.accepted != 2 && one.line != nowhere) doubt_[one.line] += one.count;
        one.accepted = 0;
        one.arrived  = 0;
    }
}

// --- records ---------------------------------------------------------------------------------------------------------

std::uint32_t judge::missing(std::uint32_t line, std::uint32_t until) const
{
    std::uint32_t count = 0;
    for (std::uint32_t number = checked_[line]; number != until; ++number)
        if (books_->taken[line][number % ring] == 0) ++count;
    return count;
}

// Each record that was sent was taken once, waits, or was in the hands of a worker that was killed.
void judge::check_records()
{
    for (std::uint32_t i = 0; i < lines; ++i) {
        const auto until = [&] { return sent_[i] - static_cast<std::uint32_t>(waiting(i)); };
        const auto limit = doubt_[i] != 0 ? std::chrono::milliseconds(200) : std::chrono::milliseconds(check_limit);
        test::eventually([&] { return missing(i, until()) == 0 || !watch(); }, limit);
        if (!findings_.empty()) return;
        const std::uint32_t end = until(), absent = missing(i, end);
        if (absent > doubt_[i]) {
            std::uint32_t first = checked_[i];
            while (books_->taken[i][first % ring] != 0)
                ++first;
            find("socket " + std::to_string(i) + ": of records " + std::to_string(checked_[i]) + " to " + std::to_string(end - 1) +
                 " " + std::to_string(absent) + " were not taken, the first is " + std::to_string(first) + "; " +
                 std::to_string(doubt_[i]) + " may have been with killed workers; the owner is " + owner_of(i));
        }
        for (std::uint32_t number = checked_[i]; number != end; ++number) {
            if (books_->taken[i][number % ring] > 1)
                find("socket " + std::to_string(i) + ": record " + std::to_string(number) + " was taken " +
                     std::to_string(books_->taken[i][number % ring]) + " times");
            books_->taken[i][number % ring] = 0;
        }
        lost_ += absent;
        checked_[i] = end;
        doubt_[i]   = 0;
    }
}

// --- handles and the segment -----------------------------------------------------------------------------------------

void judge::check_handles()
{
    for (std::uint32_t i = 0; i < lines; ++i) {
        std::string holders;
        std::size_t expected = 0, count = 0;
        const auto as_expected = [&] {
            segment_.sweep();
            expected = 1; // the judge's
            for (const desk& at : books_->desks)
                expected += at.handles[i];
            count = 0;
            holders.clear();
            for (const ss::handle_info& one : held_[i].handles()) {
                if (one.ticket) continue;
                ++count;
                holders += ' ' + to_string(one.process) + (segment_.alive(one.process) ? "" : " (dead)");
                for (std::uint32_t w = 0; w < places; ++w)
                    if (unpacked(books_->desks[w].process) == one.process) holders += " = worker " + std::to_string(w);
            }
            return count == expected || !watch();
        };
        if (!test::eventually(as_expected, check_limit))
            find("socket " + std::to_string(i) + " has " + std::to_string(count) + " handles instead of " +
                 std::to_string(expected) + ", of processes" + holders);
        if (!findings_.empty()) return;
    }
}

void judge::check_segment()
{
    ss::error_code ec;
    std::vector<ss::command::finding> left;
    const auto sound = [&] {
        left = ss::command::inspect(name_, options_, ec);
        return (!ec && left.empty()) || !watch();
    };
    if (test::eventually(sound, check_limit)) return;
    for (const auto& each : left)
        find("the audit of the segment: " + each.text);
    if (ec) find("the segment cannot be inspected: " + ec.message());
}

} // namespace ledger
