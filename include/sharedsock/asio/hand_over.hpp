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
                    process_id target, const carry& with, const boost::asio::any_io_executor& on) const;
};

struct initiate_receive_hand_over {
    void operator()(boost::asio::any_completion_handler<void(error_code, handed_over)> handler, const segment& where,
                    const boost::asio::any_io_executor& on) const;
};

} // namespace detail::inline SHAREDSOCK_ASIO_BUILD

/// Gives `socket` to the process `target` for good, together with `with`, as `hand_over` does, and waits while the target's mailbox
/// is full. Completes with `void(error_code)`; on success `socket` is closed, on failure nothing has changed.
///
/// The object `socket` itself is looked at only within this call. The bytes of `with` must stay where they are until completion, as
/// buffers of async_write do. No other operation on the socket may be pending.
///
/// @param on  where the operation waits; the handler runs on its own associated executor, or on this one. Never inline.
/// @par Errors
/// As `hand_over`. `errc::mailbox_full`: the operation cannot wait for room, as where too many descriptors of this user are under
/// way in all mailboxes together; try again later. `std::errc::operation_canceled`: cancelled while it waited.
/// @par Cancellation
/// Terminal, partial and total: the socket is handed over once, or not at all.
/// @par fork(2)
/// Pending operations stay the parent's, started or not yet. The child's copy completes with `std::errc::operation_canceled`.
template <boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(shared_socket& socket, process_id target, const carry& with, const boost::asio::any_io_executor& on,
                     CompletionToken&& token)
{
    return boost::asio::async_initiate<CompletionToken, void(error_code)>(detail::initiate_hand_over(), token, socket.impl(),
                                                                          target, with, on);
}

namespace detail::inline SHAREDSOCK_ASIO_BUILD {

/// Takes a stream off its executor and hands its socket over; puts it back if that fails.
template <class Executor>
struct stream_hand_over {
    basic_stream<Executor>& given;
    process_id target;
    carry with;
    std::unique_ptr<shared_socket> socket; // stays where it is when the operation moves

    template <class Self>
    void operator()(Self& self)
    {
        socket = std::make_unique<shared_socket>(given.release());
        sharedsock::async_hand_over(*socket, target, with, given.get_executor(), std::move(self));
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
/// pending on the stream are aborted, and its registration ends. On failure it is open again, on its executor, and owns nothing.
template <class Executor, boost::asio::completion_token_for<void(error_code)> CompletionToken>
auto async_hand_over(basic_stream<Executor>& given, process_id target, const carry& with, CompletionToken&& token)
{
    return boost::asio::async_compose<CompletionToken, void(error_code)>(
        detail::stream_hand_over<Executor>{given, target, with, nullptr}, token, given.get_executor());
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
