// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/layer.hpp"

#include <sharedsock/winsock/bridge.hpp>

#include <cstdint>
#include <mutex>
#include <utility>

namespace sharedsock::winsock {
namespace detail {

layer& the_layer()
{
    static auto* const one = new layer;
    return *one;
}

std::shared_ptr<shared_socket> find_socket(SOCKET s)
{
    layer& all = the_layer();
    std::shared_ptr<shared_socket> found;
    bool started = false;
    {
        const std::scoped_lock lock(all.mutex);
        started = all.startups > 0;
        found   = all.sockets.find(static_cast<UINT_PTR>(s));
    }
    if (found == nullptr) fail(started ? WSAENOTSOCK : WSANOTINITIALISED);
    return found;
}

SOCKET enter_socket(shared_socket&& socket)
{
    if (!socket.is_open()) return INVALID_SOCKET;
    auto kept             = std::make_shared<shared_socket>(std::move(socket));
    layer& all            = the_layer();
    std::uintptr_t number = 0;
    bool started          = false;
    {
        const std::scoped_lock lock(all.mutex);
        started = all.startups > 0;
        if (started) number = all.sockets.insert(kept);
    }
    if (number != 0) return static_cast<SOCKET>(number);
    fail(started ? WSAEMFILE : WSANOTINITIALISED);
    return INVALID_SOCKET;
}

segment attached_segment()
{
    layer& all = the_layer();
    {
        const std::scoped_lock lock(all.mutex);
        if (all.startups > 0) return all.where;
    }
    fail(WSANOTINITIALISED);
    return {};
}

} // namespace detail

std::shared_ptr<shared_socket> library_socket(SOCKET s) { return detail::find_socket(s); }

SOCKET adopt_socket(shared_socket&& socket)
{
    return detail::guarded(INVALID_SOCKET, [&] {
        const segment where = detail::attached_segment();
        if (!where) return INVALID_SOCKET;
        if (socket.is_open() && socket.where().attachment() == where.attachment()) return detail::enter_socket(std::move(socket));
        detail::fail(make_error_code(socket.is_open() ? errc::not_attached : errc::closed_handle));
        return INVALID_SOCKET;
    });
}

segment current_segment()
{
    detail::layer& all = detail::the_layer();
    const std::scoped_lock lock(all.mutex);
    return all.where;
}

} // namespace sharedsock::winsock
