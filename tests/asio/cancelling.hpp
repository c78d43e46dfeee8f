// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/catch.hpp"

#include <sharedsock/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

namespace test {

inline constexpr boost::asio::cancellation_type every_type[] = {
    boost::asio::cancellation_type::terminal, boost::asio::cancellation_type::partial, boost::asio::cancellation_type::total};

/// Starts an operation, lets it wait, cancels it, and expects it to have been aborted outside of the cancellation.
template <class Start>
void expect_cancelled(boost::asio::io_context& io, boost::asio::cancellation_type type, Start&& start)
{
    namespace asio = boost::asio;
    using sharedsock::error_code;
    asio::cancellation_signal signal;
    error_code ec = asio::error::would_block;
    int calls     = 0;
    start(asio::bind_cancellation_slot(signal.slot(), [&](error_code result, const auto&...) {
        ec = result;
        ++calls;
    }));
    io.restart();
    io.poll();
    CHECK(calls == 0);
    signal.emit(type);
    CHECK(calls == 0);
    io.restart();
    io.run();
    CHECK(calls == 1);
    CHECK(ec == asio::error::operation_aborted);
}

} // namespace test
