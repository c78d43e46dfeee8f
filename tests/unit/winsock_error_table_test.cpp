// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <cerrno>
#include <system_error>

namespace ws = sharedsock::winsock;
using sharedsock::errc;
using sharedsock::error_code;

namespace {

error_code kernel(int number) { return {number, boost::system::system_category()}; }

struct pair {
    int code;
    int number;
};

// Pairs of Winsock's and Linux's names for the same error, in both directions.
constexpr pair pairs[] = {
    {ws::WSAEINTR, EINTR},
    {ws::WSAEACCES, EACCES},
    {ws::WSAEFAULT, EFAULT},
    {ws::WSAEINVAL, EINVAL},
    {ws::WSAEMFILE, EMFILE},
    {ws::WSAEWOULDBLOCK, EAGAIN},
    {ws::WSAEINPROGRESS, EINPROGRESS},
    {ws::WSAEALREADY, EALREADY},
    {ws::WSAENOTSOCK, ENOTSOCK},
    {ws::WSAEDESTADDRREQ, EDESTADDRREQ},
    {ws::WSAEMSGSIZE, EMSGSIZE},
    {ws::WSAEPROTOTYPE, EPROTOTYPE},
    {ws::WSAENOPROTOOPT, ENOPROTOOPT},
    {ws::WSAEPROTONOSUPPORT, EPROTONOSUPPORT},
    {ws::WSAESOCKTNOSUPPORT, ESOCKTNOSUPPORT},
    {ws::WSAEOPNOTSUPP, EOPNOTSUPP},
    {ws::WSAEPFNOSUPPORT, EPFNOSUPPORT},
    {ws::WSAEAFNOSUPPORT, EAFNOSUPPORT},
    {ws::WSAEADDRINUSE, EADDRINUSE},
    {ws::WSAEADDRNOTAVAIL, EADDRNOTAVAIL},
    {ws::WSAENETDOWN, ENETDOWN},
    {ws::WSAENETUNREACH, ENETUNREACH},
    {ws::WSAENETRESET, ENETRESET},
    {ws::WSAECONNABORTED, ECONNABORTED},
    {ws::WSAECONNRESET, ECONNRESET},
    {ws::WSAENOBUFS, ENOBUFS},
    {ws::WSAEISCONN, EISCONN},
    {ws::WSAENOTCONN, ENOTCONN},
    {ws::WSAESHUTDOWN, EPIPE},
    {ws::WSAETOOMANYREFS, ETOOMANYREFS},
    {ws::WSAETIMEDOUT, ETIMEDOUT},
    {ws::WSAECONNREFUSED, ECONNREFUSED},
    {ws::WSAELOOP, ELOOP},
    {ws::WSAENAMETOOLONG, ENAMETOOLONG},
    {ws::WSAEHOSTDOWN, EHOSTDOWN},
    {ws::WSAEHOSTUNREACH, EHOSTUNREACH},
    {ws::WSAENOTEMPTY, ENOTEMPTY},
    {ws::WSAEUSERS, EUSERS},
    {ws::WSAEDQUOT, EDQUOT},
    {ws::WSAESTALE, ESTALE},
    {ws::WSAEREMOTE, EREMOTE},
    {ws::WSA_OPERATION_ABORTED, ECANCELED},
    {ws::WSA_NOT_ENOUGH_MEMORY, ENOMEM},
    {ws::WSANOTINITIALISED, ENXIO},
};

} // namespace

TEST_CASE("an error that both Winsock and Linux have a code for is translated, both ways", "[winsock][ERR-1]")
{
    for (const auto& [code, number] : pairs) {
        INFO(code << " and " << number);
        CHECK(ws::to_winsock_error(kernel(number)) == code);
        CHECK(ws::from_winsock_error(code) == kernel(number));
    }
}

TEST_CASE("each of several codes for one error is understood, and the usual one is returned", "[winsock][ERR-1]")
{
    CHECK(ws::to_winsock_error(kernel(ESHUTDOWN)) == ws::WSAESHUTDOWN);
    CHECK(ws::to_winsock_error(kernel(EPERM)) == ws::WSAEACCES);
    CHECK(ws::to_winsock_error(kernel(ENFILE)) == ws::WSAEMFILE);
    CHECK(ws::to_winsock_error(kernel(EBADF)) == ws::WSAENOTSOCK);
    CHECK(ws::from_winsock_error(ws::WSA_INVALID_HANDLE) == kernel(EBADF));
    CHECK(ws::from_winsock_error(ws::WSAEBADF) == kernel(EBADF));
    CHECK(ws::from_winsock_error(ws::WSA_INVALID_PARAMETER) == kernel(EINVAL));
    CHECK(ws::from_winsock_error(ws::WSAECANCELLED) == kernel(ECANCELED));
    CHECK(ws::from_winsock_error(ws::WSAEPROCLIM) == kernel(EUSERS));
}

TEST_CASE("success is 0 in both systems, and an error without a code gets the nearest one", "[winsock][ERR-1]")
{
    CHECK(ws::to_winsock_error({}) == 0);
    CHECK_FALSE(ws::from_winsock_error(0));
    CHECK(ws::to_winsock_error(kernel(EXDEV)) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(kernel(-1)) == ws::WSAEINVAL);
    CHECK(ws::from_winsock_error(ws::WSAHOST_NOT_FOUND) == kernel(ENOTSUP));
    CHECK(ws::from_winsock_error(-7) == kernel(ENOTSUP));
}

TEST_CASE("the library's errors have the Winsock codes of their conditions", "[winsock][ERR-1][ERR-2][ERR-3]")
{
    CHECK(ws::to_winsock_error(errc::closed_handle) == ws::WSAENOTSOCK);
    CHECK(ws::to_winsock_error(errc::not_a_shared_socket) == ws::WSAENOTSOCK);
    CHECK(ws::to_winsock_error(errc::not_attached) == ws::WSANOTINITIALISED);
    CHECK(ws::to_winsock_error(errc::would_linger) == ws::WSAEWOULDBLOCK);
    CHECK(ws::to_winsock_error(errc::blocking_while_registered) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::bad_event_mask) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::bad_event_object) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::ticket_used) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::ticket_wrong_process) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::target_gone) == ws::WSAEINVAL);
    CHECK(ws::to_winsock_error(errc::handle_table_full) == ws::WSAENOBUFS);
    CHECK(ws::to_winsock_error(errc::socket_table_full) == ws::WSAENOBUFS);
    CHECK(ws::to_winsock_error(errc::mailbox_full) == ws::WSAENOBUFS);
    CHECK(ws::to_winsock_error(errc::process_table_full) == ws::WSAEPROCLIM);
    CHECK(ws::to_winsock_error(errc::lock_timeout) == ws::WSAETIMEDOUT);
    CHECK(ws::to_winsock_error(errc::segment_damaged) == ws::WSAENETDOWN);
    CHECK(ws::to_winsock_error(errc::identity_lost) == ws::WSAENETDOWN);
}
