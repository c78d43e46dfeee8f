// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_service.hpp"

#include <sharedsock/asio/serve.hpp>

#include <memory>

namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD {

std::shared_ptr<void> serve(const segment& where, const boost::asio::any_io_executor& executor)
{
    auto ready = std::make_shared<detail::readiness>(detail::reactor_service::of(executor), [served = where]() mutable {
        error_code ec; // the next tick tries again; `redeem`, `receive_hand_over` and its asynchronous form report the error
        served.poll(ec);
    });
    error_code ec;
    ready->start(where.native_handle(), false, ec);
    detail::throw_if(ec, "sharedsock::serve");
    const auto stop = [ready](void*) { ready->stop(); };
    return {ready.get(), stop};
}

} // namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD
