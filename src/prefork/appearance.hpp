// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/worker_word.hpp"

#include <sharedsock/segment.hpp>

#include <cstdint>
#include <optional>

namespace sharedsock::prefork::detail {

using sharedsock::detail::worker_word;

/// This process's part in a crew, as it is shown in a segment, if there is one.
class appearance {
public:
    /// Shows it in `where` from now on. `errc::not_attached`.
    void in(const segment& where, worker_word word, error_code& ec);
    void say(worker_word word) const noexcept;
    void say_load(std::uint32_t load);
    /// Sweeps dead processes of the segment at once, so that their turns pass on.
    void sweep();
    process_id who() const { return where_ ? where_->self() : process_id{}; }

private:
    std::optional<segment> where_;
};

} // namespace sharedsock::prefork::detail
