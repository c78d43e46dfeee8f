// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Event objects, and the registrations they serve.
#include "winsock/layer.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace sharedsock::winsock {
namespace {

using detail::layer;
using detail::the_layer;
using detail::through;

static_assert(FD_READ == static_cast<int>(network_event::read) && FD_CLOSE == static_cast<int>(network_event::close) &&
                  FD_ALL_EVENTS == static_cast<int>(network_event::all),
              "the library's events have Winsock's bits");

UINT_PTR number_of(WSAEVENT event) noexcept { return reinterpret_cast<UINT_PTR>(event); }

// The objects behind events, all found under one lock. Null, and WSANOTINITIALISED or WSA_INVALID_HANDLE, if one is missing.
std::optional<std::vector<std::shared_ptr<event_object>>> find_events(std::span<const WSAEVENT> events)
{
    std::vector<std::shared_ptr<event_object>> found(events.size());
    layer& all = the_layer();
    int error  = 0;
    {
        const std::scoped_lock lock(all.mutex);
        if (all.startups == 0) error = WSANOTINITIALISED;
        for (std::size_t i = 0; i < events.size() && error == 0; ++i) {
            found[i] = all.events.find(number_of(events[i]));
            if (found[i] == nullptr) error = WSA_INVALID_HANDLE;
        }
    }
    if (error == 0) return found;
    detail::fail(error);
    return std::nullopt;
}

template <class Call>
BOOL with_event(WSAEVENT event, Call call) noexcept
{
    return detail::guarded(0, [&] {
        const auto found = find_events(std::span(&event, 1));
        if (!found) return 0;
        call(*found->front());
        return 1;
    });
}

} // namespace

WSAEVENT WSACreateEvent()
{
    return detail::guarded(WSA_INVALID_EVENT, [] {
        if (!detail::attached_segment()) return WSA_INVALID_EVENT;
        auto made             = std::make_shared<event_object>();
        std::uintptr_t number = 0;
        {
            layer& all = the_layer();
            const std::scoped_lock lock(all.mutex);
            number = all.events.insert(made);
        }
        if (number == 0) detail::fail(WSA_NOT_ENOUGH_MEMORY);
        return reinterpret_cast<WSAEVENT>(number);
    });
}

BOOL WSASetEvent(WSAEVENT hEvent)
{
    return with_event(hEvent, [](event_object& event) { event.set(); });
}

BOOL WSAResetEvent(WSAEVENT hEvent)
{
    return with_event(hEvent, [](event_object& event) { event.reset(); });
}

BOOL WSACloseEvent(WSAEVENT hEvent)
{
    return detail::guarded(0, [&] {
        if (!find_events(std::span(&hEvent, 1))) return 0;
        layer& all = the_layer();
        std::shared_ptr<event_object> ended; // outside of the mutex: it may be the sink of registrations (REG-20)
        {
            const std::scoped_lock lock(all.mutex);
            ended = all.events.erase(number_of(hEvent));
        }
        return 1;
    });
}

DWORD WSAWaitForMultipleEvents(DWORD cEvents, const WSAEVENT* lphEvents, BOOL fWaitAll, DWORD dwTimeout, BOOL)
{
    return detail::guarded(WSA_WAIT_FAILED, [&] {
        if (cEvents == 0 || cEvents > WSA_MAXIMUM_WAIT_EVENTS || lphEvents == nullptr) {
            detail::fail(lphEvents == nullptr && cEvents != 0 ? WSAEFAULT : WSA_INVALID_PARAMETER);
            return WSA_WAIT_FAILED;
        }
        const auto found = find_events(std::span(lphEvents, cEvents));
        if (!found) return WSA_WAIT_FAILED;
        std::vector<event_object*> objects;
        for (const auto& one : *found)
            objects.push_back(one.get());
        std::optional<std::chrono::nanoseconds> limit;
        if (dwTimeout != WSA_INFINITE) limit = std::chrono::milliseconds(dwTimeout);
        if (fWaitAll != 0) return wait_all(objects, limit) ? WSA_WAIT_EVENT_0 : WSA_WAIT_TIMEOUT;
        const auto first = wait_any(objects, limit);
        return first ? WSA_WAIT_EVENT_0 + static_cast<DWORD>(*first) : WSA_WAIT_TIMEOUT;
    });
}

int WSAEventSelect(SOCKET s, WSAEVENT hEventObject, long lNetworkEvents)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        if (lNetworkEvents == 0) {
            socket.cancel_registration(ec); // REG-5: the object is ignored
            return;
        }
        const auto ready = find_events(std::span(&hEventObject, 1));
        if (!ready) {
            ec = errc::bad_event_object;
            return;
        }
        socket.event_select(*ready->front(), detail::network_event_mask(lNetworkEvents), {}, ec);
        if (ec == errc::fence_pending) ec.clear(); // registered; but no event comes before the old owner continues (G2)
    });
}

int WSAEnumNetworkEvents(SOCKET s, WSAEVENT hEventObject, LPWSANETWORKEVENTS lpNetworkEvents)
{
    return through(s, [&](shared_socket& socket, error_code& ec) {
        std::shared_ptr<event_object> ready;
        if (hEventObject != WSA_INVALID_EVENT) {
            const auto found = find_events(std::span(&hEventObject, 1));
            if (!found)
                ec = errc::bad_event_object;
            else
                ready = found->front();
        }
        if (lpNetworkEvents == nullptr && !ec) ec.assign(EFAULT, boost::system::system_category());
        if (ec) return; // ENUM-4
        const network_events happened = socket.enum_network_events(ready.get(), ec);
        if (ec) return;
        lpNetworkEvents->lNetworkEvents = static_cast<long>(happened.occurred);
        for (int bit = 0; bit < FD_MAX_EVENTS; ++bit) {
            const auto one = detail::network_event_mask(1L << bit);
            if (happened.has(one)) lpNetworkEvents->iErrorCode[bit] = to_winsock_error(happened.error(one)); // ENUM-5
        }
    });
}

} // namespace sharedsock::winsock
