// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/stream.hpp>
#include <sharedsock/hand_over.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>

#include <memory>
#include <utility>

namespace sharedsock {
namespace detail::inline SHAREDSOCK_ASIO_BUILD {

struct initiate_hand_over {
    void operator()(boost::asio::any_completion_handler<void(error_code)> handler, std::shared_ptr<handle> handed,
                    process_id target, const carry& with, const hand_over_options& how,
                    const boost::asio::any_io_executor& on) const;
};

struct initiate_receive_hand_over {
    void operator()(boost::asio::any_completion_handler<void(error_code, handed_over)> handler, const segment& where,
                    const boost::asio::any_io_executor& on) const;
};

} // namespace detail::inline SHAREDSOCK_ASIO_BUILD

/// Gives `socket` to the process `target` for good, together with `with`, as `hand_over` does: completes with `void(error_code)`
/// when the target has taken it, and then `socket` is closed; or with an error, and then nothing has changed.
///
/// It waits while the target's mailbox is full, for as long as that takes. When the message is out, it waits for
/// `hand_over_options::limit` at most. The executor's context hears the target; nothing else has to be served for that.
///
/// The object `socket` itself is looked at only within this call. The bytes of `with` must stay where they are until completion, as
/// buffers of async_write do. No other operation on the socket may be pending, and none may begin before completion.
///
/// @param on  where the operation waits; the handler runs on its own associated executor, or on this one. Never inline.
/// @par Errors
/// As `hand_over`. `errc::mailbox_full`: the operation cannot wait for room, as where too many descriptors of this user are under
/// way in all mailboxes together; try again later. `std::errc::operation_canceled`: cancelled while it waited.
/// @par Cancellation
/// Terminal, partial and total: the socket comes back. If the target has taken it meanwhile, the operation succeeds. An operation
/// that ends with its context takes the socket back as well.
/// @par fork(2)
/// Pending operations stay the parent's, started or not yet. The child's copy completes with `std::errc::operation_canceled`.
template <boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(shared_socket& socket, process_id target, const carry& with, const hand_over_options& how,
                     const boost::asio::any_io_executor& on, CompletionToken&& token)
{
    return boost::asio::async_initiate<CompletionToken, void(error_code)>(detail::initiate_hand_over(), token, socket.impl(),
                                                                          target, with, how, on);
}

template <boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(shared_socket& socket, process_id target, const carry& with, const boost::asio::any_io_executor& on,
                     CompletionToken&& token)
{
    return async_hand_over(socket, target, with, hand_over_options(), on, std::forward<CompletionToken>(token));
}

namespace detail::inline SHAREDSOCK_ASIO_BUILD {

/// Takes a stream off its executor and hands its socket over; puts it back if that fails.
template <class Executor>
struct stream_hand_over {
    basic_stream<Executor>& given;
    process_id target;
    carry with;
    hand_over_options how;
    std::unique_ptr<shared_socket> socket; // stays where it is when the operation moves

    template <class Self>
    void operator()(Self& self)
    {
        socket = std::make_unique<shared_socket>(given.release());
        sharedsock::async_hand_over(*socket, target, with, how, given.get_executor(), std::move(self));
    }
    template <class Self>
    void operator()(Self& self, error_code ec)
    {
        if (ec && socket->is_open()) given = basic_stream<Executor>(given.get_executor(), std::move(*socket));
        self.complete(ec);
    }
};

} // namespace detail::inline SHAREDSOCK_ASIO_BUILD

/// Hands over the socket of a stream, which must live until completion, as the form for a `shared_socket` does. Operations that are
/// pending on the stream are aborted, and its registration ends. On failure it is open again, on its executor, and owns nothing:
/// its next operation registers it anew, and reads on with the byte after the last that was read.
template <class Executor, boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(basic_stream<Executor>& given, process_id target, const carry& with, const hand_over_options& how,
                     CompletionToken&& token)
{
    return boost::asio::async_compose<CompletionToken, void(error_code)>(
        detail::stream_hand_over<Executor>{given, target, with, how, nullptr}, token, given.get_executor());
}

template <class Executor, boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(basic_stream<Executor>& given, process_id target, const carry& with, CompletionToken&& token)
{
    return async_hand_over(given, target, with, hand_over_options(), std::forward<CompletionToken>(token));
}

/// Waits for the next socket that is handed over to this process, as `receive_hand_over`. Completes with
/// `void(error_code, handed_over)`. Several may wait; each hand-over completes one.
///
/// @param on  where the operation waits; the handler runs on its own associated executor, or on this one. Never inline. It counts
///            as work of an io_context, unlike `serve`.
/// @par Errors
/// As `receive_hand_over`. After any of them the next operation goes on where this one ended.
/// `std::errc::operation_canceled`: cancelled.
/// @par Cancellation
/// Terminal, partial and total: nothing is taken from the mailbox by an operation that was cancelled.
/// @par fork(2)
/// Pending operations stay the parent's, started or not yet. The child's copy receives nothing, and waits until it is cancelled or
/// its context ends. Begin anew in the child.
template <boost::asio::completion_token_for<void(error_code, handed_over)> CompletionToken>
auto async_receive_hand_over(const segment& where, const boost::asio::any_io_executor& on, CompletionToken&& token)
{
    return boost::asio::async_initiate<CompletionToken, void(error_code, handed_over)>(detail::initiate_receive_hand_over(), token,
                                                                                       where, on);
}

} // namespace sharedsock
