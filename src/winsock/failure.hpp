// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <new>

namespace sharedsock::winsock::detail {

/// Sets this thread's WSAGetLastError, and returns SOCKET_ERROR. An error of the library or the kernel becomes
/// `last_error_reason` as well.
int fail(int code) noexcept;
int fail(const error_code& reason) noexcept;

/// A call that clears this thread's WSAGetLastError has succeeded (WSK-11).
void succeed() noexcept;

/// The exceptions that a library call may throw, as failures: nothing is thrown into a program that knows only codes.
template <class Result, class Call>
Result guarded(Result failure, Call call) noexcept
{
    try {
        return call();
    } catch (const system_error& thrown) {
        fail(thrown.code());
    } catch (const std::bad_alloc&) {
        fail(WSA_NOT_ENOUGH_MEMORY);
    } catch (...) {
        fail(WSAEINVAL);
    }
    return failure;
}

} // namespace sharedsock::winsock::detail
