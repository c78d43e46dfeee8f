// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/asio/serve.hpp>

#include "readiness.hpp"

namespace sharedsock {

std::shared_ptr<void> serve(const segment& where, const boost::asio::any_io_executor& executor)
{
    auto ready = std::make_shared<detail::readiness>(executor, where.native_handle(), [served = where]() mutable { served.poll(); });
    ready->start();
    const auto stop = [ready](void*) { ready->stop(); };
    return {ready.get(), stop};
}

} // namespace sharedsock
