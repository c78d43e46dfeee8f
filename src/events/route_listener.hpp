// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>

namespace sharedsock::detail {

/// Changes of the network: event bits (ev_routing_change, ev_address_change), by address family.
struct network_changes {
    std::uint32_t inet  = 0;
    std::uint32_t inet6 = 0;

    std::uint32_t of(int family) const noexcept;
    bool any() const noexcept { return (inet | inet6) != 0; }
};

/// Receives changes of addresses and routes from the kernel (EVT-25), through an rtnetlink(7) socket in the network namespace that
/// the process has at `open`. The kernel does not report IPv4 routes that go with their interface, so an interface that goes up or
/// down counts as a change of routes.
///
/// Threads: not safe. fork(2): the child must `close` its copy, or it takes the parent's messages.
class route_listener {
public:
    /// Begins to listen; idempotent. `std::errc::operation_not_supported` if there is no rtnetlink, or no permission to use it.
    void open(error_code& ec) noexcept;
    void close() noexcept { socket_.reset(); }
    /// Readable when the kernel has reported something; -1 before `open`.
    int native_handle() const noexcept { return socket_.get(); }

    /// The changes since the last call; all kinds of them, if the socket overflowed. Never waits.
    network_changes hear() noexcept;

private:
    unique_fd socket_;
};

} // namespace sharedsock::detail
