// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "../sinks.hpp"
#include "../unique_fd.hpp"
#include "context_job.hpp"

#include <functional>
#include <memory>

namespace sharedsock::detail {

/// Calls a function on an execution context whenever a descriptor becomes ready, or is ready at the beginning, until stopped.
/// Edges that come together are told once. It is no work for the context (ASYNC-7): `run` returns when there is nothing else
/// to do.
class readiness final : public descriptor_watch, public std::enable_shared_from_this<readiness> {
public:
    readiness(boost::asio::execution_context& context, std::function<void()> ready);

    /// Until `stop`, which has to come before the descriptor is closed. `writing`: room to send counts, too.
    void start(int descriptor, bool writing, error_code& ec);
    /// On another thread one call may still be under way.
    void stop() noexcept override;

private:
    // What stays in the reactor's queues of the descriptor: never done, performed at every edge.
    class observer final : public reactor_operation {
    public:
        explicit observer(readiness& of) noexcept : reactor_operation(error_code(), &observer::perform_one, &observer::forget), of_(of) {}

    private:
        static status perform_one(reactor_operation* one);
        static void forget(void*, boost::asio::detail::scheduler_operation*, const error_code&, std::size_t) {}
        readiness& of_;
    };
    void run();

    reactor_descriptor entry_;
    observer reading_{*this};
    observer writing_{*this};
    const std::function<void()> ready_;
    context_job job_;
    unique_fd duplicate_; // of a descriptor that is in the reactor already, for another purpose
    std::atomic<bool> add_writing_{false};
    std::atomic<bool> stopped_{false};
};

} // namespace sharedsock::detail
