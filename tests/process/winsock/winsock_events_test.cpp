// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Winsock's event calls in one process: event objects, WSAEventSelect, WSAAsyncSelect. For events
// between processes: winsock_sharing_test.cpp.
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/winsock_session.hpp"

#include <sharedsock/winsock/window.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <mutex>
#include <vector>

#include <sys/ioctl.h>
#include <sys/socket.h>

using namespace test;

namespace {

// Waits for the event object, and collects.
ws::WSANETWORKEVENTS next_events(ws::SOCKET s, ws::WSAEVENT event)
{
    ws::WSANETWORKEVENTS happened{};
    CHECK(signalled(event, patience_ms));
    CHECK(ws::WSAEnumNetworkEvents(s, event, &happened) == 0);
    return happened;
}

// The messages of a window, in their order.
class message_log {
public:
    struct message {
        ws::UINT number;
        ws::WPARAM socket;
        int event;
        int error;
    };

    ws::window_procedure writer()
    {
        return [this](ws::HWND, ws::UINT number, ws::WPARAM socket, ws::LPARAM what) {
            const std::scoped_lock lock(mutex_);
            all_.push_back({number, socket, ws::WSAGETSELECTEVENT(what), ws::WSAGETSELECTERROR(what)});
        };
    }
    std::vector<message> all() const
    {
        const std::scoped_lock lock(mutex_);
        return all_;
    }
    bool has(ws::SOCKET s, int event) const
    {
        const auto now = all();
        return std::ranges::any_of(now, [&](const message& m) { return s == m.socket && m.event == event; });
    }

private:
    mutable std::mutex mutex_;
    std::vector<message> all_;
};

} // namespace

TEST_CASE("event objects are set, reset, waited for and closed by their handles", "[winsock][ENUM-9]")
{
    const winsock_session session;
    ws::WSAEVENT two[] = {ws::WSACreateEvent(), ws::WSACreateEvent()};
    REQUIRE(two[0] != ws::WSA_INVALID_EVENT);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 0, 0, 0) == ws::WSA_WAIT_TIMEOUT);
    CHECK(ws::WSASetEvent(two[1]) == 1);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 0, ws::WSA_INFINITE, 0) == ws::WSA_WAIT_EVENT_0 + 1);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 1, 10, 0) == ws::WSA_WAIT_TIMEOUT); // all
    CHECK(ws::WSASetEvent(two[0]) == 1);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 1, ws::WSA_INFINITE, 0) == ws::WSA_WAIT_EVENT_0);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 0, 0, 0) == ws::WSA_WAIT_EVENT_0); // a wait alters nothing
    CHECK(ws::WSAResetEvent(two[0]) == 1);
    CHECK_FALSE(signalled(two[0]));

    CHECK(ws::WSACloseEvent(two[0]) == 1);
    CHECK(ws::WSACloseEvent(two[0]) == 0);
    CHECK(ws::WSAGetLastError() == ws::WSA_INVALID_HANDLE);
    CHECK(ws::WSASetEvent(ws::WSA_INVALID_EVENT) == 0);
    CHECK(ws::WSAWaitForMultipleEvents(2, two, 0, 0, 0) == ws::WSA_WAIT_FAILED);
    CHECK(ws::WSAGetLastError() == ws::WSA_INVALID_HANDLE);
    const std::vector<ws::WSAEVENT> many(65, two[1]);
    CHECK(ws::WSAWaitForMultipleEvents(65, many.data(), 0, 0, 0) == ws::WSA_WAIT_FAILED);
    CHECK(ws::WSAGetLastError() == ws::WSA_INVALID_PARAMETER);
    CHECK(ws::WSAWaitForMultipleEvents(0, two, 0, 0, 0) == ws::WSA_WAIT_FAILED);
    CHECK(ws::WSAWaitForMultipleEvents(64, many.data(), 0, 0, 0) == ws::WSA_WAIT_EVENT_0);
    CHECK(ws::WSACloseEvent(two[1]) == 1);
}

TEST_CASE("WSAEventSelect signals and WSAEnumNetworkEvents collects and resets", "[winsock][ENUM-1][ENUM-2]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ | ws::FD_CLOSE) == 0);
    CHECK_FALSE(signalled(event));

    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    ws::WSANETWORKEVENTS happened = next_events(pair.near, event);
    CHECK(happened.lNetworkEvents == ws::FD_READ);
    CHECK(happened.iErrorCode[ws::FD_READ_BIT] == 0);
    CHECK_FALSE(signalled(event)); // until the next receive (EVT-1)
    CHECK(ws::WSAEnumNetworkEvents(pair.near, nullptr, &happened) == 0);
    CHECK(happened.lNetworkEvents == 0);

    char byte = 0;
    CHECK(ws::recv(pair.near, &byte, 1, 0) == 1);
    const linger abort{1, 0};
    REQUIRE(ws::setsockopt(pair.far, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&abort), sizeof abort) == 0);
    REQUIRE(ws::closesocket(pair.far) == 0);
    happened.iErrorCode[ws::FD_READ_BIT] = 4711;
    CHECK(signalled(event, patience_ms));
    CHECK(ws::WSAEnumNetworkEvents(pair.near, event, &happened) == 0);
    CHECK(happened.lNetworkEvents == ws::FD_CLOSE);
    CHECK(happened.iErrorCode[ws::FD_CLOSE_BIT] == ws::WSAECONNRESET);
    CHECK(happened.iErrorCode[ws::FD_READ_BIT] == 4711); // no error for an event that did not occur (ENUM-5)
}

TEST_CASE("FD_CONNECT tells how an attempt ended", "[winsock][EVT-16][EVT-17]")
{
    const winsock_session session;
    const ws::SOCKET nobody   = bound_socket();
    const unsigned short port = port_of(nobody);
    ws::closesocket(nobody);

    const ws::SOCKET s       = ws::socket(AF_INET, SOCK_STREAM, 0);
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(s, event, ws::FD_CONNECT | ws::FD_WRITE) == 0);
    check_fails(connect_to(s, port), ws::WSAEWOULDBLOCK);
    ws::WSANETWORKEVENTS happened = next_events(s, event);
    CHECK(happened.lNetworkEvents == ws::FD_CONNECT);
    CHECK(happened.iErrorCode[ws::FD_CONNECT_BIT] == ws::WSAECONNREFUSED);

    const ws::SOCKET door = listener();
    check_fails(connect_to(s, port_of(door)), ws::WSAEWOULDBLOCK); // the same socket, anew
    happened = next_events(s, event);
    CHECK((happened.lNetworkEvents & ws::FD_CONNECT) != 0);
    CHECK(happened.iErrorCode[ws::FD_CONNECT_BIT] == 0);
    check_fails(connect_to(s, port_of(door)), ws::WSAEISCONN);
}

TEST_CASE("WSAEventSelect keeps the socket non-blocking, and its end does not make it blocking", "[winsock][REG-12][REG-13]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    u_long off = 0;
    check_fails(ws::ioctlsocket(pair.near, FIONBIO, &off), ws::WSAEINVAL);
    CHECK(ws::last_error_reason() == sharedsock::errc::blocking_while_registered);
    CHECK(ws::WSAEventSelect(pair.near, nullptr, 0) == 0); // the object is ignored
    char byte = 0;
    check_fails(ws::recv(pair.near, &byte, 1, 0), ws::WSAEWOULDBLOCK);
    CHECK(ws::ioctlsocket(pair.near, FIONBIO, &off) == 0);
}

TEST_CASE("a WSAEventSelect that is refused changes nothing", "[winsock][REG-19][ENUM-4]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent(), closed = ws::WSACreateEvent();
    ws::WSACloseEvent(closed);
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    const auto before = ws::library_socket(pair.near)->registration();
    REQUIRE(before);
    for (const ws::WSAEVENT bad : {closed, ws::WSA_INVALID_EVENT})
        check_fails(ws::WSAEventSelect(pair.near, bad, ws::FD_READ), ws::WSAEINVAL);
    for (const long bits : {1L << 10, 1L << 40, -1L})
        check_fails(ws::WSAEventSelect(pair.near, event, bits), ws::WSAEINVAL);
    CHECK(ws::library_socket(pair.near)->registration()->epoch == before->epoch);

    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    REQUIRE(signalled(event, patience_ms));
    ws::WSANETWORKEVENTS happened{};
    check_fails(ws::WSAEnumNetworkEvents(pair.near, closed, &happened), ws::WSAEINVAL);
    CHECK(signalled(event));
    CHECK(next_events(pair.near, event).lNetworkEvents == ws::FD_READ);
}

TEST_CASE("closing an event object ends the registrations it serves", "[winsock][REG-20]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    REQUIRE(ws::library_socket(pair.near)->registration());
    CHECK(ws::WSACloseEvent(event) == 1);
    CHECK_FALSE(ws::library_socket(pair.near)->registration());
}

TEST_CASE("WSAAsyncSelect calls a window's procedure, with the SOCKET, the event and its error", "[winsock][ASYNC-1][ASYNC-2]")
{
    const winsock_session session;
    const connected_pair pair;
    message_log log;
    boost::asio::thread_pool pool(1);
    const ws::HWND window = ws::open_window(pool.get_executor(), log.writer());
    REQUIRE(window != nullptr);
    REQUIRE(ws::WSAAsyncSelect(pair.near, window, 1025, ws::FD_READ | ws::FD_CLOSE) == 0);
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    REQUIRE(eventually([&] { return log.has(pair.near, ws::FD_READ); }));
    CHECK(log.all().front().number == 1025);
    CHECK(log.all().front().error == 0);
    char byte = 0;
    CHECK(ws::recv(pair.near, &byte, 1, 0) == 1);

    // Another registration takes its place (REG-4).
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    REQUIRE(ws::send(pair.far, "y", 1, 0) == 1);
    CHECK(signalled(event, patience_ms));
    CHECK(log.all().size() == 1);

    check_fails(ws::WSAAsyncSelect(pair.near, nullptr, 1025, ws::FD_READ), ws::WSAEINVAL);
    CHECK(ws::close_window(window));
    CHECK_FALSE(ws::close_window(window));
    check_fails(ws::WSAAsyncSelect(pair.near, window, 1025, ws::FD_READ), ws::WSAEINVAL);
    CHECK(ws::WSAAsyncSelect(pair.near, nullptr, 0, 0) == 0); // cancels whatever there is (REG-5)
    CHECK_FALSE(ws::library_socket(pair.near)->registration());
    CHECK(ws::open_window({}, log.writer()) == nullptr);
    CHECK(ws::WSAGetLastError() == ws::WSAEINVAL);
}

TEST_CASE("accepted sockets have the listener's window, and their messages name them", "[winsock][REG-15][ASYNC-8]")
{
    const winsock_session session;
    const ws::SOCKET door = listener();
    message_log log;
    boost::asio::thread_pool pool(2);
    const ws::HWND window = ws::open_window(pool.get_executor(), log.writer());
    REQUIRE(ws::WSAAsyncSelect(door, window, 1025, ws::FD_ACCEPT | ws::FD_READ | ws::FD_WRITE) == 0);
    std::vector<ws::SOCKET> accepted;
    for (int i = 0; i < 20; ++i) { // often enough that messages come before accept has returned
        const ws::SOCKET client = ws::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(connect_to(client, port_of(door)) == 0);
        REQUIRE(ws::send(client, "x", 1, 0) == 1);
        if (i == 0) REQUIRE(eventually([&] { return log.has(door, ws::FD_ACCEPT); })); // the test does not wait for later messages
        ws::SOCKET s = ws::INVALID_SOCKET;
        REQUIRE(eventually([&] { return (s = ws::accept(door, nullptr, nullptr)) != ws::INVALID_SOCKET; }));
        accepted.push_back(s);
    }
    for (const ws::SOCKET s : accepted) {
        CHECK(eventually([&] { return log.has(s, ws::FD_WRITE); }));
        CHECK(eventually([&] { return log.has(s, ws::FD_READ); }));
    }
    CHECK_FALSE(log.has(ws::INVALID_SOCKET, ws::FD_WRITE));
    pool.stop();
    pool.join();
}
