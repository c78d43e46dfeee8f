// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/pending_operation.hpp"

#include "asio/io_object.hpp"
#include "base/ranked_mutex.hpp"

#include <boost/asio/error.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

reactor_operation::status pending_operation::perform_one(reactor_operation* one)
{
    const lock_ranks::under asio_lock(lock_rank::asio_descriptor);
    io_operation& operation = static_cast<pending_operation*>(one)->operation_;
    const bool inherited    = operation.object_->inherited(operation); // the child takes nothing, before or after `notify_fork`
    if (!inherited && operation.object_->perform(operation)) return done;
    if (!inherited && !operation.object_->has_lost(operation)) return not_done;
    one->ec_ = boost::asio::error::operation_aborted; // `conclude` replaces it by the reason
    return done;
}

void pending_operation::conclude_one(void* owner, queued_operation* one, const error_code&, std::size_t)
{
    auto& self                              = *static_cast<pending_operation*>(static_cast<reactor_operation*>(one));
    io_operation& operation                 = self.operation_;
    const std::shared_ptr<io_object> object = std::move(operation.object_); // outlives the operation, whose handler may drop it
    const bool in_line                      = operation.in_line_ && !object->inherited(operation);
    object->conclude(operation, self.ec_);
    lock_ranks::expect_none("an operation completes");
    operation.finish(owner != nullptr);
    if (in_line) object->after_handler();
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
