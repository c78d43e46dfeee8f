// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/network_event.hpp>
#include <sharedsock/registration.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace sharedsock::detail {

/// The watch of a descriptor outside of an event poller. Its destructor does not stop it: a forked child would remove the entry
/// from its parent's epoll.
class descriptor_watch {
public:
    virtual ~descriptor_watch()  = default;
    virtual void stop() noexcept = 0; ///< before the descriptor is closed
};

/// A job that a message sink runs on its executor.
class sink_job {
public:
    virtual void run() = 0;

protected:
    ~sink_job() = default;
};

/// The target of an `async_select` registration: an executor and a handler.
class message_sink {
public:
    virtual ~message_sink() = default;
    /// Calls `edge` on the executor's context, with no lock held, whenever the descriptor becomes ready, and at once if it is.
    virtual std::shared_ptr<descriptor_watch> watch(int descriptor, bool writing, std::function<void()> edge, error_code& ec) = 0;
    /// Runs `job` on the executor soon, never inside this call; drops it if the executor has stopped (ASYNC-5, ASYNC-7).
    virtual void post(std::shared_ptr<sink_job> job) = 0;
    /// Runs `job` on the executor, also at once; call it from inside of `edge` only. Drops it if the executor has stopped.
    virtual void dispatch(std::shared_ptr<sink_job> job) = 0;
    /// Calls the handler; call it from a job of this sink only.
    virtual void call(const event_message& message) = 0;
};

/// Runs pending operations under a registration: an I/O object on an executor. It watches the descriptor itself, and makes its
/// calls inside deliveries of its own. The local registration tells it of each change of its phase, with its mutex held: none of
/// these functions may call back into the library.
class operation_sink {
public:
    virtual ~operation_sink()                      = default;
    virtual void became_owner(std::uint32_t epoch) = 0;
    virtual void look_again()                      = 0; ///< the former owner's delivery may have ended
    virtual void lost()                            = 0; ///< another handle took over, or the registration was cancelled
    virtual void passed_on()                       = 0; ///< this handle has passed the registration on
    virtual void ended() noexcept                  = 0; ///< the handle closes, or has a new registration
};

/// The sink of a registration: a handler, pending operations, or (if both are null) the event object of the event poller.
struct event_sink {
    std::shared_ptr<message_sink> messages;
    std::weak_ptr<operation_sink> operations;
    registration_kind kind = registration_kind::event_select;
};

} // namespace sharedsock::detail
