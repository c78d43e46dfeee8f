// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "tables/process_table.hpp"

#include "layout/index_span.hpp"

#include <cstdint>

namespace sharedsock::detail::process_table {

std::uint32_t candidates::next() noexcept
{
    for (;;) {
        while (from_ < bytes_.capacity.processes) {
            const std::uint32_t index = from_++;
            if (!unused_only_ || !load(bytes_.processes[index]).used) return index;
        }
        if (!unused_only_) return no_index;
        unused_only_ = false;
        from_        = 0;
    }
}

process_life begin(table_view& bytes, std::uint32_t index) noexcept
{
    process_record& record    = bytes.processes[index];
    const process_life before = load(record);
    process_life now{before.generation + 1, may_need_sweep(record), true};
    if (now.generation == 0) now.generation = 1;
    record.box.store(0); // that of the former incarnation
    record.life.store(now.encode());
    return now;
}

void settled(table_view& bytes, std::uint32_t index) noexcept
{
    process_record& record = bytes.processes[index];
    process_life now       = load(record);
    now.unswept            = false;
    record.life.store(now.encode());
}

void end(table_view& bytes, std::uint32_t index) noexcept
{
    process_record& record = bytes.processes[index];
    record.life.store(process_life{load(record).generation, false, false}.encode());
}

void begin_sweep(process_record& record) noexcept
{
    std::uint64_t seen = record.handles.load();
    do {
        widen(record.handles_in_sweep, index_span::decode(seen));
    } while (!record.handles.compare_exchange_weak(seen, 0));
}

bool may_need_sweep(const process_record& record) noexcept
{
    return load(record).used || record.handles.load() != 0 || record.handles_in_sweep.load() != 0;
}

bool is_incarnation(const table_view& bytes, std::uint32_t index, std::uint32_t generation, std::uint32_t mask) noexcept
{
    const process_record* const record = bytes.process(index);
    if (record == nullptr) return false;
    const process_life now = load(*record);
    return now.used && (now.generation & mask) == (generation & mask);
}

} // namespace sharedsock::detail::process_table
