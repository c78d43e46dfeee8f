// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sharedsock::prefork::detail {

using sharedsock::detail::unique_fd;

/// A load and a count of beats for each place, in anonymous memory that a supervisor shares with its workers. Each worker has a
/// cache line. Programs of another version of the library read it as well.
class load_table {
public:
    static load_table make(error_code& ec) noexcept;
    /// The supervisor's table, by its descriptor. `std::errc::invalid_argument`: the descriptor is not one of a table.
    static load_table open(unique_fd memory, error_code& ec) noexcept;

    load_table() noexcept = default;
    load_table(load_table&& other) noexcept;
    load_table& operator=(load_table&& other) noexcept;
    ~load_table();

    std::atomic<std::uint32_t>& operator[](std::size_t place) const noexcept { return lines_[place].load; }
    std::atomic<std::uint32_t>& beats(std::size_t place) const noexcept { return lines_[place].beats; }
    int native_handle() const noexcept { return memory_.get(); }

private:
    struct alignas(64) line {
        std::atomic<std::uint32_t> load;
        std::atomic<std::uint32_t> beats;
    };
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "a hidden lock would be of one process only");

    void map(error_code& ec) noexcept;

    unique_fd memory_;
    line* lines_ = nullptr;
};

} // namespace sharedsock::prefork::detail
