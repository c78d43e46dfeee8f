// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process_table.hpp"

namespace sharedsock::detail::process_table {

std::uint32_t next_candidate(const tables& bytes, std::uint32_t previous) noexcept
{
    // Two passes over the table, first over the unused ones. `previous` says how far, and by its own state in which pass.
    const auto scan = [&](std::uint32_t from, bool used) {
        for (std::uint32_t index = from; index < bytes.capacity.processes; ++index)
            if (load(bytes.processes[index]).used == used) return index;
        return no_index;
    };
    if (previous == no_index) {
        const std::uint32_t unused = scan(0, false);
        return unused != no_index ? unused : scan(0, true);
    }
    if (!load(bytes.processes[previous]).used) {
        const std::uint32_t unused = scan(previous + 1, false);
        return unused != no_index ? unused : scan(0, true);
    }
    return scan(previous + 1, true);
}

process_life begin(tables& bytes, std::uint32_t index) noexcept
{
    process_record& record = bytes.processes[index];
    const process_life before = load(record);
    process_life now{before.generation + 1, before.used, true};
    if (now.generation == 0) now.generation = 1;
    record.life.store(now.encode());
    return now;
}

void settled(tables& bytes, std::uint32_t index) noexcept
{
    process_record& record = bytes.processes[index];
    process_life now = load(record);
    now.unswept = false;
    record.life.store(now.encode());
}

void end(tables& bytes, std::uint32_t index) noexcept
{
    process_record& record = bytes.processes[index];
    record.life.store(process_life{load(record).generation, false, false}.encode());
}

bool is_tenant(const tables& bytes, std::uint32_t index, std::uint32_t generation, std::uint32_t mask) noexcept
{
    const process_record* const record = bytes.process(index);
    if (record == nullptr) return false;
    const process_life now = load(*record);
    return now.used && (now.generation & mask) == (generation & mask);
}

} // namespace sharedsock::detail::process_table
