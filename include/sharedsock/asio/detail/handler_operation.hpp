// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/io_operation.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/handler_continuation_hook.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/recycling_allocator.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <sys/uio.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// Up to this many buffers of a sequence take part in one call. A stream's call may take fewer than the sequence has: so few that
/// the operation's memory is of a size that Asio's threads keep. A datagram's call takes as many as Asio's own does.
inline constexpr std::size_t stream_pieces   = 16;
inline constexpr std::size_t datagram_pieces = 64;

template <class Buffers>
inline constexpr bool is_single_buffer = std::is_convertible_v<const Buffers&, boost::asio::const_buffer> ||
                                         std::is_convertible_v<const Buffers&, boost::asio::mutable_buffer>;

/// The buffers of an operation, in the form that the kernel takes. Copies no bytes: they stay the caller's until completion.
template <std::size_t Size>
class piece_list {
public:
    piece_list() = default;
    template <class Buffers>
    explicit piece_list(const Buffers& buffers)
    {
        auto one       = boost::asio::buffer_sequence_begin(buffers);
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (; one != end && count_ < Size; ++one)
            add(*one);
    }

    const iovec* data() const noexcept { return pieces_; }
    std::size_t count() const noexcept { return count_; }
    std::size_t total() const noexcept
    {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < count_; ++i)
            sum += pieces_[i].iov_len;
        return sum;
    }

private:
    void add(const boost::asio::mutable_buffer& one) noexcept { add(one.data(), one.size()); }
    void add(const boost::asio::const_buffer& one) noexcept { add(const_cast<void*>(one.data()), one.size()); }
    void add(void* data, std::size_t size) noexcept
    {
        if (size == 0) return;
        pieces_[count_].iov_base = data;
        pieces_[count_].iov_len  = size;
        ++count_;
    }

    iovec pieces_[Size]; // the first count_ are set
    std::size_t count_ = 0;
};

template <class Buffers, std::size_t Most = stream_pieces>
using pieces_of = piece_list<is_single_buffer<Buffers> ? 1 : Most>;

// `as_default_on` makes executors that are derived from the one that they stand for.
template <class Executor>
inline bool runs_on_io_context(const Executor& executor) noexcept
{
    using native = boost::asio::io_context::executor_type;
    if constexpr (std::derived_from<Executor, native>)
        return true;
    else if constexpr (std::derived_from<Executor, boost::asio::any_io_executor>)
        return executor.template target<native>() != nullptr; // also where Asio has no typeid
    else
        return false;
}

template <class Handler, class Arguments, class Guard>
void dispatch_to(const Guard& guard, Handler& handler, Arguments&& arguments)
{
    const auto allocator = boost::asio::get_associated_allocator(handler);
    auto job             = [handler = std::move(handler), arguments = std::forward<Arguments>(arguments)]() mutable {
        std::apply(std::move(handler), std::move(arguments));
    };
    boost::asio::dispatch(guard.get_executor(), boost::asio::bind_allocator(allocator, std::move(job)));
}

/// Calls a handler through its executor, which has work until then.
template <class Handler, class Executor, class Own = boost::asio::associated_executor_t<Handler, Executor>>
class handler_path {
public:
    handler_path(const Handler& handler, const Executor& executor) : guard_(boost::asio::get_associated_executor(handler, executor))
    {}

    template <class Arguments>
    void call(Handler& handler, Arguments&& arguments)
    {
        dispatch_to(guard_, handler, std::forward<Arguments>(arguments));
    }

private:
    boost::asio::executor_work_guard<Own> guard_;
};

/// Whether a handler names no executor.
template <class Handler, class Executor>
inline constexpr bool has_no_executor = requires
{
    typename boost::asio::associated_executor<Handler, Executor>::asio_associated_executor_is_unspecialised;
};

/// Calls the handler directly if its executor is the io_context that has performed the operation, else through its executor.
template <class Handler, class Executor, class Own>
requires std::derived_from<Executor, Own>
class handler_path<Handler, Executor, Own> {
public:
    handler_path(const Handler& handler, const Executor& executor)
    {
        const bool native = runs_on_io_context(executor);
        if constexpr (has_no_executor<Handler, Executor>) {
            if (!native) guard_.emplace(executor);
        } else {
            const auto& own = boost::asio::get_associated_executor(handler, executor);
            if (!native || own != static_cast<const Own&>(executor)) guard_.emplace(own);
        }
    }

    template <class Arguments>
    void call(Handler& handler, Arguments&& arguments)
    {
        if (guard_)
            dispatch_to(*guard_, handler, std::forward<Arguments>(arguments));
        else
            std::apply(std::move(handler), std::forward<Arguments>(arguments));
    }

private:
    std::optional<boost::asio::executor_work_guard<Own>> guard_;
};

// As in Asio: memory that its threads keep for the next operation, unless the handler brings an allocator of its own.
// std::allocator does not count as one: composed operations of other libraries (Beast) name it where their handler has none.
template <class Allocator>
struct operation_memory {
    using type = Allocator;
    static const Allocator& of(const Allocator& associated) noexcept { return associated; }
};
template <class Value>
struct operation_memory<std::allocator<Value>> {
    using type = boost::asio::recycling_allocator<Value>;
    static type of(const std::allocator<Value>&) noexcept { return {}; }
};

/// A pending operation with its handler. `Results` makes the handler's arguments, a tuple, of the finished operation;
/// `Pieces` keeps the buffers.
template <class Handler, class Executor, class Pieces, class Results>
class handler_operation final : public io_operation {
    using its_memory = operation_memory<boost::asio::associated_allocator_t<Handler>>;
    using allocator  = typename std::allocator_traits<typename its_memory::type>::template rebind_alloc<handler_operation>;
    using memory     = std::allocator_traits<allocator>;
    static allocator memory_of(const Handler& handler) noexcept
    {
        return allocator(its_memory::of(boost::asio::get_associated_allocator(handler)));
    }

public:
    handler_operation(kind of_what, Handler&& handler, const Executor& executor, const Pieces& buffers, Results&& results)
        : io_operation(of_what),
          pieces_(buffers),
          results_(std::move(results)),
          path_(handler, executor),
          handler_(std::move(handler))
    {
        pieces      = pieces_.data();
        piece_count = pieces_.count();
    }

    static handler_operation* make(kind of_what, Handler&& handler, const Executor& executor, const Pieces& buffers,
                                   Results&& results)
    {
        using boost::asio::asio_handler_is_continuation;
        allocator where                = memory_of(handler);
        handler_operation* const place = memory::allocate(where, 1);
        try {
            const bool continues = asio_handler_is_continuation(std::addressof(handler));
            auto* const made     = ::new (static_cast<void*>(place))
                handler_operation(of_what, std::move(handler), executor, buffers, std::move(results));
            made->is_continuation = continues;
            return made;
        } catch (...) {
            memory::deallocate(where, place, 1);
            throw;
        }
    }

    // The memory is free before the handler runs: it may start the next operation in its place.
    void finish(bool invoke) override
    {
        Handler handler(std::move(handler_));
        if (!invoke) {
            destroy(handler);
            return;
        }
        handler_path<Handler, Executor> path(std::move(path_));
        auto arguments = results_(*this);
        destroy(handler);
        path.call(handler, std::move(arguments));
    }

private:
    void destroy(const Handler& handler) noexcept
    {
        allocator where = memory_of(handler);
        this->~handler_operation();
        memory::deallocate(where, this, 1);
    }

    Pieces pieces_;
    Results results_;
    handler_path<Handler, Executor> path_;
    Handler handler_;
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
