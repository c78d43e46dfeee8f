// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/supervisor_impl.hpp"

#include <sharedsock/prefork/supervisor.hpp>

namespace sharedsock::prefork {

using detail::overseer;
using detail::time_point;
using std::chrono::steady_clock;

namespace {

using sharedsock::detail::or_throw;

} // namespace

supervisor::supervisor(options how, std::function<int(worker&)> body)
    : overseer_(std::make_unique<overseer>(std::move(how), std::move(body)))
{}

supervisor::supervisor(options how, program what) : overseer_(std::make_unique<overseer>(std::move(how), std::move(what))) {}

supervisor::~supervisor()                                = default;
supervisor::supervisor(supervisor&&) noexcept            = default;
supervisor& supervisor::operator=(supervisor&&) noexcept = default;

void supervisor::start()
{
    overseer_->decide([](detail::crew& all, time_point now) { all.start(now); });
}

void supervisor::roll()
{
    overseer_->decide([](detail::crew& all, time_point now) { all.roll(now); });
}

void supervisor::stop()
{
    overseer_->decide([](detail::crew& all, time_point now) { all.stop(now); });
}

void supervisor::stop_now()
{
    overseer_->decide([](detail::crew& all, time_point now) { all.stop_now(now); });
}

void supervisor::resize(std::size_t workers, error_code& ec)
{
    ec.clear();
    if (workers > most_workers)
        ec = make_error_code(boost::system::errc::invalid_argument);
    else
        overseer_->decide([workers](detail::crew& all, time_point now) { all.resize(workers, now); });
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
            ec = overseer_->why_not_started();
            if (!ec) ec = make_error_code(boost::system::errc::timed_out);
            return;
        }
        overseer_->wait(end);
    }
}

void supervisor::wait_ready(std::chrono::nanoseconds limit)
{
    or_throw("sharedsock::prefork::supervisor::wait_ready", [&](error_code& ec) { wait_ready(limit, ec); });
}

int supervisor::native_handle() const noexcept { return overseer_->native_handle(); }

void supervisor::poll(error_code& ec) { overseer_->poll(ec); }

void supervisor::poll()
{
    or_throw("sharedsock::prefork::supervisor::poll", [&](error_code& ec) { poll(ec); });
}

void supervisor::run(error_code& ec)
{
    overseer_->decide([](detail::crew& all, time_point now) {
        if (!all.begun()) all.start(now);
    });
    error_code why;
    for (;;) {
        poll(ec);
        const crew_status now = crew();
        // A new version that does not come up is no reason to end the workers that serve.
        const bool may_go_on = now.rolling && now.ready != 0;
        if (ec && !may_go_on && !now.stopping) {
            why = ec;
            stop();
        }
        if (crew().finished || ec == std::errc::operation_not_permitted) break;
        overseer_->wait(detail::never);
    }
    ec = ec == std::errc::operation_not_permitted ? ec : why;
}

void supervisor::run()
{
    or_throw("sharedsock::prefork::supervisor::run", [&](error_code& ec) { run(ec); });
}

void supervisor::take_signals(const signal_set& which, error_code& ec) { overseer_->take_signals(which, ec); }

void supervisor::take_signals(const signal_set& which)
{
    or_throw("sharedsock::prefork::supervisor::take_signals", [&](error_code& ec) { take_signals(which, ec); });
}

void supervisor::appear_in(const segment& where, error_code& ec) { overseer_->appear_in(where, ec); }

void supervisor::appear_in(const segment& where)
{
    or_throw("sharedsock::prefork::supervisor::appear_in", [&](error_code& ec) { appear_in(where, ec); });
}

std::vector<worker_status> supervisor::status() const { return overseer_->status(); }
crew_status supervisor::crew() const { return overseer_->crew_now(); }

} // namespace sharedsock::prefork
