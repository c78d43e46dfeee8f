// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/failure.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

namespace sharedsock::winsock {
namespace {

struct last_failure {
    int code = 0;
    error_code reason; // empty if the Winsock layer itself has found the failure
};

thread_local last_failure last;

} // namespace

namespace detail {

int fail(int code) noexcept
{
    last = {code, {}};
    return SOCKET_ERROR;
}

int fail(const error_code& reason) noexcept
{
    last = {to_winsock_error(reason), reason};
    return SOCKET_ERROR;
}

void succeed() noexcept { last = {}; }

} // namespace detail

int WSAGetLastError() { return last.code; }
void WSASetLastError(int iError) { detail::fail(iError); }
error_code last_error_reason() noexcept { return last.reason; }

} // namespace sharedsock::winsock
