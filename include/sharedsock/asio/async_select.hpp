// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/shared_socket.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>

namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD {

/// The handler of an `async_select`: called with one event at a time (ASYNC-1, ASYNC-5).
using event_handler = std::function<void(const event_message&)>;

/// Makes `handler` on `executor` the sink of the network events in `mask`, and this handle the owner of the socket's one
/// registration: the counterpart of `shared_socket::event_select` (REG-4), with the same rules and errors (ASYNC-8).
///
/// Each occurrence gives one message, and the next for that event comes only after its re-enabling call (ASYNC-3). Messages of
/// one registration come one after the other, never inside a library call, in the order of detection; other work on `executor` may
/// run at the same time. An event is claimed when its handler is about to run, and its delivery ends when the handler returns: so a
/// message that is overtaken by a take-over is not delivered (stricter than ASYNC-4), and a process that takes over waits for a
/// handler that runs (G2).
///
/// The socket may become a stream, datagram or acceptor on the same context: the handler gets the events until an operation of that
/// object registers, and none afterwards. Until then the registration needs one descriptor more.
///
/// @param executor  of an execution context that can do I/O, as `io_context` or `thread_pool`. Empty: `invalid_argument`
///                  (ASYNC-7). If it stops later, messages are dropped and the registration stays. The library holds no work
///                  guard: an `io_context` with nothing else to do returns from `run` although something is registered.
/// @param handler   empty: `invalid_argument`. It may register, cancel and close the same socket. An exception of it leaves through
///                  the executor; the delivery ends all the same.
/// @par Safety
/// Threads and processes: as `shared_socket`. fork(2): the child owns no registration. Signal handlers: not callable.
/// @see WSAAsyncSelect; semantics ASYNC-1..8.
void async_select(shared_socket& socket, const boost::asio::any_io_executor& executor, event_handler handler, network_event mask,
                  const select_options& options, error_code& ec);
void async_select(shared_socket& socket, const boost::asio::any_io_executor& executor, event_handler handler, network_event mask,
                  const select_options& options = {});

/// Waits in the standby queue to own the events, with `handler` on `executor` as the sink: as `shared_socket::stand_by`.
void async_stand_by(shared_socket& socket, const boost::asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options, error_code& ec);
void async_stand_by(shared_socket& socket, const boost::asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options = {});

} // namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD
