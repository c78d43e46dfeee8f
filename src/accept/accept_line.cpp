// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "accept/accept_line.hpp"

#include "tables/process_table.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

namespace sharedsock::detail {
namespace {

handle_record* record_of(membership& self, handle& through) noexcept
{
    return handle_table::find(self.bytes(), through.which().handle);
}

bool in_use(const process_record& record, process_id who) noexcept
{
    const process_life life = load(record);
    return life.used && life.generation == who.generation;
}

} // namespace

void accept_line::enter(membership& self, handle& through)
{
    forget();
    handle_record* const record = record_of(self, through);
    if (record == nullptr || record->standby_order.load() != 0) return; // the mask belongs to its place in the standby queue
    record->standby_mask.fetch_or(accepts_in_turn);
    through.slot().holder_changes.fetch_add(1); // after the mark: a process that sees the count sees the mark
}

void accept_line::leave(membership& self, handle& through) noexcept
{
    handle_record* const record = record_of(self, through);
    if (record == nullptr || record->standby_order.load() != 0) return;
    record->standby_mask.fetch_and(~accepts_in_turn);
    through.slot().holder_changes.fetch_add(1);
}

bool accept_line::refresh(membership& self, handle& through)
{
    const std::uint32_t now = through.slot().holder_changes.load();
    if (seen_ == now) return false;
    seen_ = now;
    others_.clear();
    handle_table::for_each(self.bytes(), through.socket().index, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        const bool marked      = life.state == handle_state::held && (record.standby_mask.load() & accepts_in_turn) != 0;
        if (marked && life.process != self.self().index && self.bytes().process(life.process) != nullptr)
            others_.push_back({life.process, record.process_generation.load()});
        return true;
    });
    return true;
}

std::uint32_t accept_line::least_load(membership& self) const noexcept
{
    std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
    for (const process_id who : others_) {
        const process_record& record = *self.bytes().process(who.index);
        if (in_use(record, who)) least = std::min(least, record.load.load(std::memory_order_relaxed));
    }
    return least;
}

} // namespace sharedsock::detail
