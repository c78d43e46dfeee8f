// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "winsock/layer.hpp"

#include <sharedsock/network_event.hpp>
#include <sharedsock/winsock/window.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sharedsock::winsock::detail {

/// The object behind an HWND.
class window {
public:
    window(boost::asio::any_io_executor executor, window_procedure procedure)
        : executor_(std::move(executor)), procedure_(std::move(procedure))
    {}

    HWND name = nullptr; // constant after `open_window`

    const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
    void close() noexcept { closed_.store(true); }
    void call(UINT message, SOCKET s, LPARAM what) const
    {
        if (!closed_.load()) procedure_(name, message, static_cast<WPARAM>(s), what);
    }

private:
    const boost::asio::any_io_executor executor_;
    const window_procedure procedure_;
    std::atomic<bool> closed_{false};
};

/// A message of a registration that came with an accepted socket (REG-15).
struct inherited_message {
    std::shared_ptr<const window> target;
    std::uint64_t socket = 0; // shared_socket::id
    UINT message         = 0;
    LPARAM what          = 0;
};

/// The SOCKETs of accepted sockets, for their messages: these name the socket by the library's id, and the first ones may come
/// before `accept` has returned. Guarded by the layer's mutex.
struct arrivals {
    unsigned under_way = 0; // calls of `accept`
    std::unordered_map<std::uint64_t, SOCKET> numbers;
    std::vector<inherited_message> early; // of sockets that have no SOCKET yet; empty when no accept is under way
};
arrivals& the_arrivals();

/// One call of `accept`.
class arrival {
public:
    arrival();
    ~arrival();
    arrival(const arrival&)            = delete;
    arrival& operator=(const arrival&) = delete;

    /// As `enter_socket`; sends off the messages that came before the SOCKET existed.
    SOCKET enter(shared_socket&& accepted);
};

/// After `shared_socket::close`: ends the SOCKET. `id` is the one that the socket had.
void leave_socket(SOCKET s, std::uint64_t id);

} // namespace sharedsock::winsock::detail
