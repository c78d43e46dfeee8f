// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/handler_operation.hpp>

#include <boost/asio/error.hpp>

#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// The function object in a cancellation slot. Every operation that can be pending here has had no effect yet, so all three types
/// of cancellation (terminal, partial, total) end it.
class cancel_by_slot {
public:
    explicit cancel_by_slot(std::weak_ptr<io_object> object) noexcept : object_(std::move(object)) {}

    void operator()(boost::asio::cancellation_type_t type)
    {
        if (type != boost::asio::cancellation_type::none) cancel_one(object_, this);
    }

private:
    std::weak_ptr<io_object> object_;
};

/// Starts an operation for the handler that a completion token has made.
template <class Executor>
class initiation {
public:
    using executor_type = Executor;

    /// As with Asio's own, a deferred operation must be launched while its object lives.
    initiation(io_object& object, const Executor& executor) : object_(&object), executor_(executor) {}

    executor_type get_executor() const noexcept { return executor_; }

    template <class Handler, class Pieces, class Results>
    void operator()(Handler&& handler, io_operation::kind what, int flags, const Pieces& pieces, const socket_address* address,
                    Results results) const
    {
        const void* key = nullptr;
        if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected())
            key = &slot.template emplace<cancel_by_slot>(weakly(*object_));
        using operation = handler_operation<std::decay_t<Handler>, Executor, Pieces, Results>;
        std::decay_t<Handler> owned(std::forward<Handler>(handler));
        operation* const made = operation::make(what, std::move(owned), executor_, pieces, std::move(results));
        made->flags           = flags;
        made->key             = key;
        if (address != nullptr) made->address = *address;
        start(*object_, *made);
    }

private:
    io_object* object_;
    Executor executor_;
};

// The arguments of a handler.

struct error_only {
    std::tuple<error_code> operator()(io_operation& done) const { return {done.ec}; }
};
struct error_and_bytes {
    std::tuple<error_code, std::size_t> operator()(io_operation& done) const { return {done.ec, done.bytes}; }
};
/// The error and the count of bytes, with the peer's address stored where the caller wants it.
template <class Address>
struct bytes_and_sender {
    Address* sender;
    std::tuple<error_code, std::size_t> operator()(io_operation& done) const
    {
        if (!done.ec && done.address) store(*done.address, *sender);
        return {done.ec, done.bytes};
    }
    static void store(const socket_address& from, socket_address& to) { to = from; }
    template <endpoint_like Endpoint>
    static void store(const socket_address& from, Endpoint& to)
    {
        to = from.as<Endpoint>();
    }
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
