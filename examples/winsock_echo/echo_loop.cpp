// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "echo_loop.hpp"

#include "net.hpp"

#include <utility>

namespace {

// Receives and sends for as long as that is possible without waiting; false at the end of the connection. The call that would
// block is the one that permits the next FD_READ or FD_WRITE.
bool talk(SOCKET connection, std::string& unsent)
{
    for (;;) {
        if (!unsent.empty()) {
            const int sent = send(connection, unsent.data(), static_cast<int>(unsent.size()), 0);
            if (sent == SOCKET_ERROR) return WSAGetLastError() == WSAEWOULDBLOCK;
            unsent.erase(0, static_cast<std::size_t>(sent));
            continue;
        }
        char room[4096];
        const int got = recv(connection, room, sizeof(room), 0);
        if (got == SOCKET_ERROR) return WSAGetLastError() == WSAEWOULDBLOCK;
        if (got == 0) return false;
        unsent.assign(room, static_cast<std::size_t>(got));
    }
}

} // namespace

echo_loop::~echo_loop()
{
    while (!entries_.empty())
        remove(entries_.size() - 1);
}

bool echo_loop::listen_to(SOCKET listener, std::function<void()> when_waiting)
{
    entry one;
    one.socket  = listener;
    one.handler = std::move(when_waiting);
    return add(std::move(one), FD_ACCEPT) != WSA_INVALID_EVENT;
}

bool echo_loop::serve(SOCKET connection)
{
    entry one;
    one.socket = connection;
    one.echoes = true;
    if (add(std::move(one), FD_READ | FD_WRITE | FD_CLOSE) == WSA_INVALID_EVENT) return false;
    ++open_;
    return true;
}

WSAEVENT echo_loop::add_signal(std::function<void()> when_set)
{
    entry one;
    one.handler = std::move(when_set);
    return add(std::move(one), 0);
}

bool echo_loop::run(const std::function<bool()>& wanted)
{
    while (wanted()) {
        const DWORD count = static_cast<DWORD>(events_.size());
        const DWORD first = WSAWaitForMultipleEvents(count, events_.data(), FALSE, WSA_INFINITE, FALSE);
        if (first == WSA_WAIT_FAILED) return false;
        // From the last to the first, for handling may remove one; all of them, so that a busy one does not starve the others.
        for (std::size_t i = events_.size(); i-- > first - WSA_WAIT_EVENT_0;)
            if (WSAWaitForMultipleEvents(1, &events_[i], FALSE, 0, FALSE) == WSA_WAIT_EVENT_0) handle(i);
    }
    return true;
}

WSAEVENT echo_loop::add(entry one, long events)
{
    if (full()) return WSA_INVALID_EVENT;
    const WSAEVENT event = WSACreateEvent();
    if (event == WSA_INVALID_EVENT) return event;
    if (one.socket != INVALID_SOCKET && WSAEventSelect(one.socket, event, events) == SOCKET_ERROR) {
        WSACloseEvent(event);
        return WSA_INVALID_EVENT;
    }
    events_.push_back(event);
    entries_.push_back(std::move(one));
    return event;
}

void echo_loop::remove(std::size_t index)
{
    if (entries_[index].echoes) {
        closesocket(entries_[index].socket);
        --open_;
    }
    WSACloseEvent(events_[index]);
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(index));
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
}

void echo_loop::handle(std::size_t index)
{
    entry& one = entries_[index];
    if (one.socket == INVALID_SOCKET) {
        WSAResetEvent(events_[index]);
        const auto handler = one.handler; // a copy: it may add an entry, which moves them all
        handler();
        return;
    }
    WSANETWORKEVENTS happened;
    if (WSAEnumNetworkEvents(one.socket, events_[index], &happened) == SOCKET_ERROR) return;
    if (!one.echoes) {
        const auto handler = one.handler;
        if (happened.lNetworkEvents & FD_ACCEPT) handler();
        return;
    }
    const bool reset = (happened.lNetworkEvents & FD_CLOSE) && happened.iErrorCode[FD_CLOSE_BIT] != 0;
    if (reset || !talk(one.socket, one.unsent)) remove(index);
}
