// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <cstdint>

namespace sharedsock::detail {

/// Where free records of a table are: one bit each (1: in use), and above them one bit for each full word.
///
/// A hint and nothing more: the `life` word of a record decides. So no death, race or damage can make two processes own one
/// record or lose one for good; a bit that is wrongly set costs a later `rebuild`, one that is wrongly clear a failed
/// compare-and-swap. (Free lists, in contrast, break for ever: a three-word scribble made walks hang.) The lowest free record
/// is found first, so a table stays as short as its use.
class free_map {
public:
    free_map() = default;
    free_map(atomic_u64* words, std::uint32_t records) noexcept
        : bits_(words), full_(words + (records + 63u) / 64u), records_(records)
    {}

    /// A record that seems free; `no_index` if none does.
    std::uint32_t find() const noexcept;
    void set_used(std::uint32_t record) noexcept;
    void set_free(std::uint32_t record) noexcept;
    std::uint32_t used() const noexcept; ///< how many records seem to be in use

private:
    atomic_u64* bits_      = nullptr;
    atomic_u64* full_      = nullptr;
    std::uint32_t records_ = 0;
};

} // namespace sharedsock::detail
