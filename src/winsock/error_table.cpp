// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Winsock's error codes and Linux's errno values. Pure.
#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/constants.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace sharedsock::winsock {
namespace {

struct error_row {
    int code;   // Winsock's
    int number; // errno
};

// Where a code or an errno stands in several rows, the first is the translation.
constexpr error_row rows[] = {
    {WSAEINTR, EINTR},
    {WSAEACCES, EACCES},
    {WSAEACCES, EPERM},
    {WSAEFAULT, EFAULT},
    {WSAEINVAL, EINVAL},
    {WSAEINVAL, ESRCH}, // WSADuplicateSocket: no such process
    {WSA_INVALID_PARAMETER, EINVAL},
    {WSAEMFILE, EMFILE},
    {WSAEMFILE, ENFILE},
    {WSAEWOULDBLOCK, EAGAIN},
    {WSAEALREADY, EALREADY},
    {WSAENOTSOCK, ENOTSOCK},
    {WSAENOTSOCK, EBADF},
    {WSAEBADF, EBADF},
    {WSA_INVALID_HANDLE, EBADF},
    {WSAEDESTADDRREQ, EDESTADDRREQ},
    {WSAEMSGSIZE, EMSGSIZE},
    {WSAEPROTOTYPE, EPROTOTYPE},
    {WSAENOPROTOOPT, ENOPROTOOPT},
    {WSAEPROTONOSUPPORT, EPROTONOSUPPORT},
    {WSAESOCKTNOSUPPORT, ESOCKTNOSUPPORT},
    {WSAEOPNOTSUPP, EOPNOTSUPP},
    {WSAEPFNOSUPPORT, EPFNOSUPPORT},
    {WSAEAFNOSUPPORT, EAFNOSUPPORT},
    {WSAEADDRINUSE, EADDRINUSE},
    {WSAEADDRNOTAVAIL, EADDRNOTAVAIL},
    {WSAENETDOWN, ENETDOWN},
    {WSAENETDOWN, ENOTRECOVERABLE}, // the segment is damaged, or this process is not in it any more: in Winsock's words
    {WSAENETDOWN, EIDRM},           // "the network subsystem has failed"
    {WSAENETUNREACH, ENETUNREACH},
    {WSAENETRESET, ENETRESET},
    {WSAECONNABORTED, ECONNABORTED},
    {WSAECONNRESET, ECONNRESET},
    {WSAENOBUFS, ENOBUFS},
    {WSAEISCONN, EISCONN},
    {WSAENOTCONN, ENOTCONN},
    {WSAESHUTDOWN, EPIPE},
    {WSAESHUTDOWN, ESHUTDOWN},
    {WSAETOOMANYREFS, ETOOMANYREFS},
    {WSAETIMEDOUT, ETIMEDOUT},
    {WSAECONNREFUSED, ECONNREFUSED},
    {WSAELOOP, ELOOP},
    {WSAENAMETOOLONG, ENAMETOOLONG},
    {WSAEHOSTDOWN, EHOSTDOWN},
    {WSAEHOSTUNREACH, EHOSTUNREACH},
    {WSAENOTEMPTY, ENOTEMPTY},
    {WSAEUSERS, EUSERS},
    {WSAEDQUOT, EDQUOT},
    {WSAESTALE, ESTALE},
    {WSAEREMOTE, EREMOTE},
    {WSAEPROCLIM, EUSERS},
    {WSA_OPERATION_ABORTED, ECANCELED},
    {WSAECANCELLED, ECANCELED},
    {WSA_NOT_ENOUGH_MEMORY, ENOMEM},
    {WSANOTINITIALISED, ENXIO},
    {WSAEINPROGRESS, EINPROGRESS}, // Winsock means another thing by it (ERR-5); no call of the library fails with it
};

} // namespace

int to_winsock_error(const error_code& ec) noexcept
{
    if (!ec) return 0;
    if (ec == errc::process_table_full) return WSAEPROCLIM;
    // The library's codes by the condition that they stand for (ERR-1).
    const int number        = ec.category() == category() ? ec.default_error_condition().value() : ec.value();
    const auto* const found = std::ranges::find(rows, number, &error_row::number);
    return found != std::end(rows) ? found->code : WSAEINVAL;
}

error_code from_winsock_error(int code) noexcept
{
    if (code == 0) return {};
    const auto* const found = std::ranges::find(rows, code, &error_row::code);
    return {found != std::end(rows) ? found->number : ENOTSUP, boost::system::system_category()};
}

} // namespace sharedsock::winsock
