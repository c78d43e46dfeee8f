// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/worker.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace sharedsock::prefork {

namespace detail {

class beating : public std::enable_shared_from_this<beating> {
public:
    beating(const boost::asio::any_io_executor& executor, std::chrono::nanoseconds interval, std::function<void()> beat)
        : timer_(executor), interval_(interval), beat_(std::move(beat))
    {}

    void go_on()
    {
        beat_();
        timer_.expires_after(interval_);
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
            const auto self = weak.lock();
            if (!ec && self) self->go_on();
        });
    }

private:
    boost::asio::steady_timer timer_;
    const std::chrono::nanoseconds interval_;
    const std::function<void()> beat_;
};

} // namespace detail

/// Beats for `self` (`worker::beat`) from `executor`, as long as its handlers run, until the returned object is destroyed: an
/// executor that hangs in a handler beats no more, and `options::watchdog` replaces the worker. Null, without a timer, if the
/// supervisor has no watchdog.
///
/// A timer is outstanding work: `io_context::run` does not return before the object is destroyed.
///
/// @par Safety
/// Threads: destroy the object on a thread that runs the executor, or after it has stopped. `self` may end before.
[[nodiscard]] inline std::shared_ptr<void> beat_on(const boost::asio::any_io_executor& executor, const worker& self)
{
    if (self.beat_interval() == for_ever) return nullptr;
    auto made = std::make_shared<detail::beating>(executor, self.beat_interval(), self.beater());
    made->go_on();
    return made;
}

} // namespace sharedsock::prefork
