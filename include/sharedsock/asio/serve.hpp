// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/segment.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD {

/// Serves `where` on `executor` until the returned object is destroyed: answers other processes' requests for descriptors,
/// and notices deaths (`segment::poll` whenever `segment::native_handle` is readable, and once a second). Holds no work guard.
/// Work in which `segment::poll` would fail is tried again every second; `redeem`, `receive_hand_over` and
/// `async_receive_hand_over` report the error.
///
/// @par Safety
/// Threads: destroy the object on a thread that runs the executor, or after it has stopped. fork(2): it
/// stays the parent's, and has ended in the child once `notify_fork` was called there; serve anew.
[[nodiscard]] std::shared_ptr<void> serve(const segment& where, const boost::asio::any_io_executor& executor);

} // namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD
