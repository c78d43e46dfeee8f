// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/reactor.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// A function that a context runs with no lock held: once for all requests that come before it begins. Allocates nothing.
class context_job final : public reactor_operation {
public:
    using function = void (*)(void* object);

    context_job(function run, void* object) noexcept
        : reactor_operation(
              error_code(), [](reactor_operation*) { return done; }, &context_job::conclude),
          run_(run),
          object_(object)
    {}

    /// `alive` keeps the object, and this job in it, until the function has run or the context is gone.
    void schedule(reactor_descriptor& where, std::shared_ptr<void> alive) noexcept
    {
        if (scheduled_.exchange(true)) return;
        alive_ = std::move(alive);
        where.complete(*this, true);
    }

private:
    static void conclude(void* context, queued_operation* one, const error_code&, std::size_t)
    {
        auto& self                        = *static_cast<context_job*>(static_cast<reactor_operation*>(one));
        const std::shared_ptr<void> alive = std::move(self.alive_);
        self.scheduled_.store(false); // from here on a request means another run
        if (context != nullptr) self.run_(self.object_);
    }

    const function run_;
    void* const object_;
    std::atomic<bool> scheduled_{false};
    std::shared_ptr<void> alive_; // belongs to the thread that has set scheduled_, then to the run
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
