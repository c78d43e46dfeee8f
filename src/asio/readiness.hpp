// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>

namespace sharedsock::detail {

/// The io_context behind an executor, through strands; null if the executor is of another kind.
boost::asio::io_context* inner_io_context(const boost::asio::any_io_executor& executor) noexcept;

/// Calls a function on an executor whenever a descriptor is readable, until destroyed. It is no work for an `io_context`
/// (ASYNC-7): the wait that is pending is not counted, so `run` returns when there is nothing else to do.
class readiness : public std::enable_shared_from_this<readiness> {
public:
    /// Watches a duplicate of `descriptor`, so that Asio's reactor never holds a number that others close.
    readiness(const boost::asio::any_io_executor& executor, int descriptor, std::function<void()> ready);

    void start();
    void stop() noexcept; ///< on a thread that runs the executor, or when it has stopped

private:
    void wait();
    void count(int by) noexcept;

    boost::asio::posix::stream_descriptor descriptor_;
    boost::asio::io_context* const context_; // null if the executor's context is of another kind
    const std::function<void()> ready_;
    bool stopped_ = false;
};

} // namespace sharedsock::detail
