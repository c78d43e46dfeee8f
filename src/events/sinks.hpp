// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/network_event.hpp>
#include <sharedsock/registration.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace sharedsock::detail {

/// A descriptor that is watched elsewhere than in a watcher. Its destructor does not stop it: what a forked child destroys is in
/// its parent's epoll.
class descriptor_watch {
public:
    virtual ~descriptor_watch()  = default;
    virtual void stop() noexcept = 0; ///< before the descriptor is closed
};

/// What a message sink runs on its executor.
class sink_job {
public:
    virtual void run() = 0;

protected:
    ~sink_job() = default;
};

/// Where an `async_select` registration delivers: an executor and a handler, whatever they are made of.
class message_sink {
public:
    virtual ~message_sink() = default;
    /// Calls `edge` on the executor's context, where no lock is held, whenever the descriptor becomes ready, and at once if it is.
    virtual std::shared_ptr<descriptor_watch> watch(int descriptor, bool writing, std::function<void()> edge, error_code& ec) = 0;
    /// Runs `job` on the executor soon, never inside this call; drops it if the executor has stopped (ASYNC-5, ASYNC-7).
    virtual void post(std::shared_ptr<sink_job> job) = 0;
    /// Likewise from inside of `edge`, where it may run at once.
    virtual void dispatch(std::shared_ptr<sink_job> job) = 0;
    /// Calls the handler; from a posted job only.
    virtual void call(const event_message& message) = 0;
};

/// What runs pending operations under a registration: an I/O object on an executor. It watches the descriptor itself, and
/// makes its calls inside deliveries of its own. It is told here what becomes of the registration, with the interest's mutex
/// held: nothing of this may call back into the library.
class operation_sink {
public:
    virtual ~operation_sink()                      = default;
    virtual void became_owner(std::uint32_t epoch) = 0;
    virtual void look_again()                      = 0; ///< somebody rang: perhaps the former owner's delivery has ended
    virtual void lost()                            = 0; ///< another took it over, or it was cancelled
    virtual void passed_on()                       = 0; ///< by ourselves
    virtual void ended() noexcept                  = 0; ///< the handle closes, or another registration of it takes the place
};

/// The sink of a registration: a handler, pending operations, or (none of the two) the event object that the watcher is.
struct event_sink {
    std::shared_ptr<message_sink> messages;
    std::weak_ptr<operation_sink> operations;
    registration_kind kind = registration_kind::event_select;
};

} // namespace sharedsock::detail
