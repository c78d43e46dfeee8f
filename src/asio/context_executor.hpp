// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

template <class Context>
using executor_of = typename Context::executor_type;

/// The executor of the context that `executor` leads to, if its type tells that it is a `Context`.
template <class Context>
std::optional<executor_of<Context>> executor_in(const boost::asio::any_io_executor& executor);

/// Executors of a context have their properties in their type.
template <class Context, std::size_t... Bits>
std::optional<executor_of<Context>> executor_with(const boost::asio::any_io_executor& executor, std::index_sequence<Bits...>)
{
    std::optional<executor_of<Context>> found;
    const auto look = [&](const auto* one) {
        if (one != nullptr) found = static_cast<Context&>(boost::asio::query(*one, boost::asio::execution::context)).get_executor();
    };
    (look(executor.target<typename Context::template basic_executor_type<std::allocator<void>, Bits>>()), ...);
    return found;
}

template <class Context, class Strand>
std::optional<executor_of<Context>> executor_under(const boost::asio::any_io_executor& executor)
{
    const auto* const one = executor.target<Strand>();
    return one != nullptr ? executor_in<Context>(one->get_inner_executor()) : std::nullopt;
}

template <class Context>
std::optional<executor_of<Context>> executor_in(const boost::asio::any_io_executor& executor)
{
    constexpr std::size_t property_sets = 8;
    auto found                          = executor_with<Context>(executor, std::make_index_sequence<property_sets>());
    if (!found) found = executor_under<Context, boost::asio::strand<executor_of<Context>>>(executor);
    if (!found) found = executor_under<Context, boost::asio::strand<boost::asio::any_io_executor>>(executor);
    return found;
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
