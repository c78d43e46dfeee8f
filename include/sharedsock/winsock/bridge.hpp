// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/winsock/types.hpp>

#include <memory>
#include <string>

/// Between Winsock's names and the library's: for all that Winsock has no word for.
namespace sharedsock::winsock {

/// Chooses the segment that the next WSAStartup attaches to, instead of the environment variable SHAREDSOCK_WINSOCK_SEGMENT. False,
/// and nothing changed, while a WSAStartup is in force. WSAStartup fails for a name that no segment may have. Threads: safe.
bool use_segment(std::string name, segment_options options = {});

/// The attachment that WSAStartup made; of nothing before it and after WSACleanup.
segment current_segment();

/// The library's handle behind a SOCKET, for the calls that Winsock lacks (`registration`, `handles`, `stand_by` …); null if
/// there is none. Valid after closesocket, when its calls fail with `errc::closed_handle`. Do not close it: the SOCKET would stay.
std::shared_ptr<shared_socket> library_socket(SOCKET s);

/// A SOCKET for a handle that the library made, in `current_segment`. INVALID_SOCKET if it is closed or of another segment.
SOCKET adopt_socket(shared_socket&& socket);

/// The Winsock code for an error of the library or the kernel: 0 for success, `WSAEINVAL` for errors that have no nearer word.
int to_winsock_error(const error_code& ec) noexcept;

/// The errno that a Winsock code stands for, in `boost::system::system_category()`; success for 0. A code that has none is
/// `std::errc::not_supported`.
error_code from_winsock_error(int code) noexcept;

/// The exact reason behind this thread's WSAGetLastError or WSAStartup, in the library's words: `errc` or errno. Success if the
/// Winsock layer itself found the failure (a null pointer, a SOCKET that it does not know).
error_code last_error_reason() noexcept;

} // namespace sharedsock::winsock
