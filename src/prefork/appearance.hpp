// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/worker_word.hpp"

#include <sharedsock/segment.hpp>

#include <cstdint>
#include <optional>

namespace sharedsock::prefork::detail {

using sharedsock::detail::worker_word;

/// What a segment, if there is one, says of this process's part in a crew.
class appearance {
public:
    /// From now on in `where`. `errc::not_attached`.
    void in(const segment& where, worker_word word, error_code& ec);
    void say(worker_word word) const noexcept;
    void say_load(std::uint32_t load);
    /// Ends at once what dead processes have left there, so that their turns pass on.
    void sweep();
    process_id who() const { return where_ ? where_->self() : process_id{}; }

private:
    std::optional<segment> where_;
};

} // namespace sharedsock::prefork::detail
