// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// What has changed in the network: event bits (ev_routing_change, ev_address_change), by address family.
struct network_changes {
    std::uint32_t inet  = 0;
    std::uint32_t inet6 = 0;

    std::uint32_t of(int family) const noexcept;
    bool any() const noexcept { return (inet | inet6) != 0; }
};

/// Hears from the kernel of changes of addresses and routes (EVT-25): an rtnetlink(7) socket of the network namespace in which
/// the process is when it is opened. IPv4 routes that go with their interface are told by nobody, so the interfaces' going up
/// and down counts as a change of routes.
///
/// Threads: not safe. fork(2): the child must `close` its copy, or it takes what the parent should hear.
class change_listener {
public:
    /// Begins to listen; idempotent. `std::errc::operation_not_supported` where there is no rtnetlink, or no leave to use it.
    void open(error_code& ec) noexcept;
    void close() noexcept { socket_.reset(); }
    /// Readable when something was heard; -1 before `open`.
    int native_handle() const noexcept { return socket_.get(); }

    /// What was heard since the last call; everything, if the kernel had more to tell than the socket holds. Never waits.
    network_changes hear() noexcept;

private:
    unique_fd socket_;
};

} // namespace sharedsock::detail
