// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/reactor.hpp"
#include "asio/service_member.hpp"
#include "base/ranked_mutex.hpp"
#include "base/unique_fd.hpp"
#include "events/sinks.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

class reactor_service;

/// Calls a function on an execution context whenever a descriptor becomes ready, or is ready at the beginning, until stopped.
/// It is no work for the context (ASYNC-7): `run` returns when there is nothing else to do.
///
/// fork(2): a started one stays the parent's. The child's copy has stopped once `notify_fork` has come.
class readiness final : public descriptor_watch, public service_member, public std::enable_shared_from_this<readiness> {
public:
    readiness(reactor_service& service, std::function<void()> ready);
    ~readiness() override;

    /// Watches the descriptor until `stop`, which has to come before the descriptor is closed. `writing`: room to send counts, too.
    /// After an error it has stopped for good. EEXIST: another object watches the descriptor on this context. The second form keeps
    /// the descriptor.
    void start(int descriptor, bool writing, error_code& ec);
    void start(unique_fd&& descriptor, bool writing, error_code& ec);
    /// One call of the function may still be under way on another thread.
    void stop() noexcept override;

    // The service calls these.
    void before_fork() noexcept override { mutex_.lock(); }
    void after_fork_in_parent() noexcept override { mutex_.unlock(); }
    void after_fork_in_child() noexcept override { mutex_.unlock(); }
    void abandon() noexcept override { stop(); }
    void shut_down() noexcept override { stop(); }

private:
    // The reactor performs it at every edge: it is done, goes back into the reactor's queue at once, and calls the function only
    // after that. So it costs no system call, and the function also sees what an edge in between has shown.
    class observer final : public reactor_operation {
    public:
        observer(readiness& of, reactor_descriptor::direction which) noexcept
            : reactor_operation(error_code(), &observer::perform_one, &observer::conclude_one), of_(of), which_(which)
        {}

    private:
        friend class readiness;
        static status perform_one(reactor_operation* one);
        static void conclude_one(void* context, queued_operation* one, const error_code&, std::size_t);

        readiness& of_;
        const reactor_descriptor::direction which_;
        bool begun_ = false;                // it is in the reactor's queue, or on its way there or from there
        std::atomic<bool> queueing_{false}; // the present `perform` only queues it; other threads' reactor reads this
        std::shared_ptr<readiness> alive_;  // from an edge until the function is called
    };
    bool queue(observer& one);

    reactor_service& service_;
    const std::function<void()> ready_;
    ranked_mutex<lock_rank::readiness> mutex_; // guards all below
    reactor_descriptor entry_;
    observer reading_{*this, reactor_descriptor::read};
    observer writing_{*this, reactor_descriptor::write};
    unique_fd duplicate_; // of a descriptor that another object already has in the reactor
    bool stopped_ = false;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
