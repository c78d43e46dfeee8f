// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// WSAAsyncSelect, and the stand-ins for windows.
#include "winsock/windows.hpp"

#include <sharedsock/asio/async_select.hpp>
#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

namespace sharedsock::winsock {
namespace detail {

arrivals& the_arrivals()
{
    static auto* const one = new arrivals; // never destroyed, as the layer
    return *one;
}

arrival::arrival()
{
    arrivals& all = the_arrivals();
    const std::scoped_lock lock(the_layer().mutex);
    ++all.under_way;
}

arrival::~arrival()
{
    arrivals& all = the_arrivals();
    std::vector<inherited_message> nobodys; // ends outside of the mutex: messages of sockets that were closed before they ran
    const std::scoped_lock lock(the_layer().mutex);
    if (--all.under_way == 0) nobodys.swap(all.early);
}

SOCKET arrival::enter(shared_socket&& accepted)
{
    const std::uint64_t id = accepted.id();
    const SOCKET s         = enter_socket(std::move(accepted));
    if (s == INVALID_SOCKET) return s;
    std::vector<inherited_message> mine;
    {
        arrivals& all = the_arrivals();
        const std::scoped_lock lock(the_layer().mutex);
        all.numbers.emplace(id, s);
        const auto others =
            std::stable_partition(all.early.begin(), all.early.end(), [&](const auto& one) { return one.socket == id; });
        mine.assign(std::move_iterator(all.early.begin()), std::move_iterator(others));
        all.early.erase(all.early.begin(), others);
    }
    for (inherited_message& one : mine)
        boost::asio::post(one.target->executor(), [one, s] { one.target->call(one.message, s, one.what); });
    return s;
}

void leave_socket(SOCKET s, std::uint64_t id)
{
    layer& all = the_layer();
    std::shared_ptr<shared_socket> closed; // ends outside of the mutex
    const std::scoped_lock lock(all.mutex);
    closed           = all.sockets.erase(static_cast<UINT_PTR>(s));
    auto& numbers    = the_arrivals().numbers;
    const auto found = numbers.find(id);
    if (found != numbers.end() && found->second == s) numbers.erase(found);
}

namespace {

void deliver(const inherited_message& one)
{
    SOCKET s = INVALID_SOCKET;
    {
        arrivals& all = the_arrivals();
        const std::scoped_lock lock(the_layer().mutex);
        if (const auto found = all.numbers.find(one.socket); found != all.numbers.end())
            s = found->second;
        else if (all.under_way > 0)
            all.early.push_back(one);
    }
    if (s != INVALID_SOCKET) one.target->call(one.message, s, one.what);
}

std::shared_ptr<window> find_window(HWND hWnd)
{
    layer& all = the_layer();
    const std::scoped_lock lock(all.mutex);
    return all.windows.find(reinterpret_cast<UINT_PTR>(hWnd));
}

} // namespace
} // namespace detail

HWND SHAREDSOCK_ASIO_BUILD::open_window(const boost::asio::any_io_executor& executor, window_procedure procedure)
{
    return detail::guarded(HWND{}, [&] {
        if (!executor || !procedure) {
            detail::fail(WSAEINVAL);
            return HWND{};
        }
        auto made = std::make_shared<detail::window>(executor, std::move(procedure));
        {
            detail::layer& all = detail::the_layer();
            const std::scoped_lock lock(all.mutex);
            made->name = reinterpret_cast<HWND>(all.windows.insert(made));
        }
        if (made->name == nullptr) detail::fail(WSA_NOT_ENOUGH_MEMORY);
        return made->name;
    });
}

bool close_window(HWND hWnd)
{
    detail::layer& all = detail::the_layer();
    std::shared_ptr<detail::window> ended; // outside of the mutex: objects that its procedure refers to may end with it
    {
        const std::scoped_lock lock(all.mutex);
        ended = all.windows.erase(reinterpret_cast<UINT_PTR>(hWnd));
    }
    if (ended != nullptr) ended->close();
    return ended != nullptr;
}

int WSAAsyncSelect(SOCKET s, HWND hWnd, unsigned int wMsg, long lEvent)
{
    return detail::through(s, [&](shared_socket& socket, error_code& ec) {
        if (lEvent == 0) {
            socket.cancel_registration(ec); // REG-5: the window is ignored
            return;
        }
        const std::shared_ptr<detail::window> target = detail::find_window(hWnd);
        if (target == nullptr) {
            ec.assign(EINVAL, boost::system::system_category()); // ASYNC-7
            return;
        }
        const auto handler = [s, wMsg, target, own = socket.id()](const event_message& happened) {
            const LPARAM what = WSAMAKESELECTREPLY(static_cast<int>(happened.event), to_winsock_error(happened.error));
            if (happened.socket == own)
                target->call(wMsg, s, what);
            else
                detail::deliver({target, happened.socket, wMsg, what});
        };
        async_select(socket, target->executor(), handler, detail::network_event_mask(lEvent), {}, ec);
        if (ec == errc::fence_pending) ec.clear(); // registered, as in WSAEventSelect
    });
}

} // namespace sharedsock::winsock
