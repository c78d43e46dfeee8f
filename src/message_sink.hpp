// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/network_event.hpp>

#include <functional>

namespace sharedsock::detail {

/// Where an `async_select` registration delivers: an executor and a handler, whatever they are made of.
class message_sink {
public:
    virtual ~message_sink() = default;
    /// Runs `job` on the executor soon, never inside this call; drops it if the executor has stopped (ASYNC-5, ASYNC-7).
    virtual void post(std::function<void()> job) = 0;
    /// Calls the handler; from a posted job only.
    virtual void call(const event_message& message) = 0;
};

} // namespace sharedsock::detail
