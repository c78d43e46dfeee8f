// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "events/local_registration.hpp"

#include <cstdint>
#include <memory>

namespace sharedsock::detail {

// The steps that all three kinds of registration have in common.

/// Makes `through` the owner of its socket's events. Pending operations do not wait for the fence here: they begin after it.
void select(handle& through, std::uint32_t mask, const select_options& options, const std::shared_ptr<event_poller>& where,
            event_sink sink, error_code& ec);

/// Puts `through` into the standby queue of its socket.
void stand_by(handle& through, std::uint32_t mask, const select_options& options, const std::shared_ptr<event_poller>& where,
              event_sink sink, error_code& ec);

/// Cancels whatever registration the socket has (REG-5); the socket stays non-blocking (REG-12).
void cancel(handle& through, error_code& ec);

/// The ten bits of a mask, or `errc::bad_event_mask`.
std::uint32_t checked_mask(network_event mask, error_code& ec) noexcept;

} // namespace sharedsock::detail
