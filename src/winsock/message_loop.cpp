// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Windows and their message loop for C, where there is no executor: one io_context for a process.
#include "base/process_instance.hpp"
#include "winsock/failure.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/window.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>

namespace ws = sharedsock::winsock;

namespace {

struct message_loop {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    const std::uint64_t instance = sharedsock::detail::process_instance();
};

// Never destroyed, as the layer. A forked child has one of its own, and its parent's windows are silent in it.
message_loop& the_loop()
{
    static message_loop* one = nullptr; // guarded by the layer's mutex
    const std::scoped_lock lock(ws::detail::the_layer().mutex);
    if (one == nullptr || one->instance != sharedsock::detail::process_instance()) one = new message_loop;
    return *one;
}

} // namespace

extern "C" ws::HWND sharedsock_winsock_open_window(ws::LRESULT (*procedure)(ws::HWND, ws::UINT, ws::WPARAM, ws::LPARAM))
{
    return ws::detail::guarded(ws::HWND{}, [&] {
        return ws::open_window(the_loop().context.get_executor(), procedure != nullptr ? ws::window_procedure(procedure) : nullptr);
    });
}

extern "C" ws::BOOL sharedsock_winsock_close_window(ws::HWND window) { return ws::close_window(window) ? 1 : 0; }

extern "C" int sharedsock_winsock_dispatch_message(int milliseconds)
{
    return ws::detail::guarded(ws::SOCKET_ERROR, [&] {
        auto& context  = the_loop().context;
        const auto ran = milliseconds < 0 ? context.run_one() : context.run_one_for(std::chrono::milliseconds(milliseconds));
        return static_cast<int>(ran);
    });
}
