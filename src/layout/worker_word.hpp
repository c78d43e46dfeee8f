// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>

namespace sharedsock::detail {

/// `process_record::worker`: a process's part in a crew of workers (<sharedsock/prefork.hpp>). For people; no decision uses it.
struct worker_word {
    enum class role : std::uint32_t { none, parent, starting, ready, draining, retiring };

    role what           = role::none;
    std::uint32_t value = 0; ///< of a parent: how many workers it wants; of a worker: its place

    constexpr std::uint32_t encode() const noexcept { return value << 4 | static_cast<std::uint32_t>(what); }
    static constexpr worker_word decode(std::uint32_t word) noexcept
    {
        const std::uint32_t what = word & 0xf;
        return what <= static_cast<std::uint32_t>(role::retiring) ? worker_word{static_cast<role>(what), word >> 4} : worker_word{};
    }

    bool is_worker() const noexcept { return what >= role::starting; }
    bool serves() const noexcept { return what == role::ready || what == role::retiring; }
};

} // namespace sharedsock::detail
