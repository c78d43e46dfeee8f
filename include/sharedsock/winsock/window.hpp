// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/winsock/types.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>

/// The stand-in for a window: the sink of WSAAsyncSelect.
namespace sharedsock::winsock {

/// The stand-in for a window procedure; a window procedure will do: its result is ignored.
using window_procedure = std::function<void(HWND hWnd, UINT uMsg, WPARAM wParam, LPARAM lParam)>;

/// A "window": messages of WSAAsyncSelect are calls of `procedure` on `executor`, which takes the place of the thread that made
/// the window and of its message loop. The HWND is a small number that this process does not use again. Null, and
/// WSAGetLastError, on failure: WSAEINVAL for an empty executor or procedure.
///
/// Messages of one SOCKET come one at a time and in order (ASYNC-5, ASYNC-6); of several SOCKETs as many at once as the executor
/// runs.
/// @par Safety
/// Threads: safe. fork(2): the child's windows get no messages before it registers anew.
inline namespace SHAREDSOCK_ASIO_BUILD {
HWND open_window(const boost::asio::any_io_executor& executor, window_procedure procedure);
}

/// Ends a window: messages for it are dropped from now on (one that is being handled ends later). Registrations stay, silent, until
/// they are replaced (ASYNC-7). False: no such window.
bool close_window(HWND hWnd);

} // namespace sharedsock::winsock
