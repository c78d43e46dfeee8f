// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/reactor.hpp"

#include <sharedsock/asio/detail/io_operation.hpp>

#include <cstddef>
#include <new>

#include <sys/socket.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// The form of an operation that Asio's reactor and scheduler know. It lives in the operation's own memory.
class pending_operation final : public reactor_operation {
public:
    static pending_operation& make(io_operation& operation) noexcept
    {
        static_assert(sizeof(pending_operation) <= io_operation::node_size,
                      "Asio's operations are larger in this Boost: raise io_operation::node_size");
        return *::new (static_cast<void*>(operation.node_)) pending_operation(operation);
    }
    static pending_operation& of(io_operation& operation) noexcept
    {
        return *std::launder(reinterpret_cast<pending_operation*>(operation.node_));
    }
    static reactor_descriptor::direction direction_of(const io_operation& operation) noexcept
    {
        switch (operation.what) {
        case io_operation::kind::send:
        case io_operation::kind::connect:
        case io_operation::kind::wait_write:
            return reactor_descriptor::write;
        case io_operation::kind::wait_error:
            return reactor_descriptor::except;
        default:
            return (operation.flags & MSG_OOB) != 0 ? reactor_descriptor::except : reactor_descriptor::read;
        }
    }

private:
    explicit pending_operation(io_operation& operation) noexcept
        : reactor_operation(error_code(), &pending_operation::perform_one, &pending_operation::conclude_one), operation_(operation)
    {
        cancellation_key_ = const_cast<void*>(operation.key);
    }
    static status perform_one(reactor_operation* one);
    static void conclude_one(void* owner, queued_operation* one, const error_code&, std::size_t);

    io_operation& operation_;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
