// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "layout/layout.hpp"

#include <bitset>
#include <cstdint>

namespace sharedsock::detail {

class membership;

/// Tells other processes what one step of this process has changed about many sockets, as a sweep and a fork do: ten thousand
/// perhaps. Each process is rung for the first sockets, and later told once to look at all that it has.
class told_processes {
public:
    void ring(membership& self, std::uint32_t process, std::uint32_t socket) noexcept;
    void ring_holders(membership& self, std::uint32_t socket, std::uint32_t but) noexcept; ///< all but that process
    void next_socket() noexcept { ++sockets_; }

private:
    static constexpr std::uint32_t sockets_rung = 16;

    std::uint32_t sockets_ = 0;
    std::bitset<max_processes> asked_;
};

} // namespace sharedsock::detail
