// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/supervisor_impl.hpp"

#include <sharedsock/prefork/supervisor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace sharedsock::prefork {

using detail::supervisor_impl;
using detail::time_point;
using std::chrono::steady_clock;

namespace {

using sharedsock::detail::or_throw;

} // namespace

supervisor::supervisor(options how, std::function<int(worker&)> body)
    : impl_(std::make_unique<supervisor_impl>(std::move(how), std::move(body)))
{}

supervisor::supervisor(options how, program what) : impl_(std::make_unique<supervisor_impl>(std::move(how), std::move(what))) {}

supervisor::~supervisor()                                = default;
supervisor::supervisor(supervisor&&) noexcept            = default;
supervisor& supervisor::operator=(supervisor&&) noexcept = default;

void supervisor::start()
{
    impl_->decide([](detail::crew& all, time_point now) { all.start(now); });
}

void supervisor::roll()
{
    impl_->decide([](detail::crew& all, time_point now) { all.roll(now); });
}

void supervisor::stop()
{
    impl_->decide([](detail::crew& all, time_point now) { all.stop(now); });
}

void supervisor::stop_now()
{
    impl_->decide([](detail::crew& all, time_point now) { all.stop_now(now); });
}

void supervisor::resize(std::size_t workers, error_code& ec)
{
    ec.clear();
    if (workers > most_workers)
        ec = make_error_code(boost::system::errc::invalid_argument);
    else
        impl_->decide([workers](detail::crew& all, time_point now) { all.resize(workers, now); });
}

void supervisor::resize(std::size_t workers)
{
    or_throw("sharedsock::prefork::supervisor::resize", [&](error_code& ec) { resize(workers, ec); });
}

void supervisor::wait_ready(std::chrono::nanoseconds limit, error_code& ec)
{
    const time_point end = detail::later(steady_clock::now(), limit);
    for (;;) {
        poll(ec);
        if (ec) return;
        const crew_status now = crew();
        if (now.stopping) {
            ec = make_error_code(boost::system::errc::operation_canceled);
            return;
        }
        if (!now.rolling && now.ready == now.wanted) return;
        if (steady_clock::now() >= end) {
            ec = impl_->why_not_started();
            if (!ec) ec = make_error_code(boost::system::errc::timed_out);
            return;
        }
        impl_->wait(end);
    }
}

void supervisor::wait_ready(std::chrono::nanoseconds limit)
{
    or_throw("sharedsock::prefork::supervisor::wait_ready", [&](error_code& ec) { wait_ready(limit, ec); });
}

int supervisor::native_handle() const noexcept { return impl_->native_handle(); }

void supervisor::poll(error_code& ec) { impl_->poll(ec); }

void supervisor::poll()
{
    or_throw("sharedsock::prefork::supervisor::poll", [&](error_code& ec) { poll(ec); });
}

void supervisor::run(error_code& ec)
{
    impl_->decide([](detail::crew& all, time_point now) {
        if (!all.begun()) all.start(now);
    });
    error_code why;
    for (;;) {
        poll(ec);
        const crew_status now = crew();
        // A new version that does not come up is no reason to end the workers that serve.
        const bool may_go_on = (now.rolling || now.retiring != 0) && now.ready != 0;
        if (ec && !may_go_on && !now.stopping) {
            why = ec;
            stop();
        }
        if (crew().finished || ec == std::errc::operation_not_permitted) break;
        impl_->wait(detail::never);
    }
    if (!why && crew().killed != 0) why = errc::workers_killed;
    ec = ec == std::errc::operation_not_permitted ? ec : why;
}

void supervisor::run()
{
    or_throw("sharedsock::prefork::supervisor::run", [&](error_code& ec) { run(ec); });
}

void supervisor::take_signals(const signal_set& which, error_code& ec) { impl_->take_signals(which, ec); }

void supervisor::take_signals(const signal_set& which)
{
    or_throw("sharedsock::prefork::supervisor::take_signals", [&](error_code& ec) { take_signals(which, ec); });
}

void supervisor::appear_in(const segment& where, error_code& ec) { impl_->appear_in(where, ec); }

void supervisor::appear_in(const segment& where)
{
    or_throw("sharedsock::prefork::supervisor::appear_in", [&](error_code& ec) { appear_in(where, ec); });
}

std::vector<worker_status> supervisor::status() const { return impl_->status(); }
crew_status supervisor::crew() const { return impl_->crew_now(); }

} // namespace sharedsock::prefork
