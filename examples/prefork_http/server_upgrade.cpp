// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The supervisor as one generation of the service: the next version is started, gets the connections, and serves.
#include "server.hpp"
#include "worker.hpp"

#include <chrono>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/signalfd.h>
#include <unistd.h>

namespace prefork_http {

namespace ss = sharedsock;
using namespace std::chrono_literals;
using happening = ss::restart::event::kind;

namespace {

constexpr std::size_t most_moving = 64; // more wait where they are: nothing is lost there

} // namespace

void server::on_signal()
{
    signalfd_siginfo one{};
    bool is_asked = false;
    while (::read(signals_, &one, sizeof one) == static_cast<ssize_t>(sizeof one))
        is_asked = true;
    if (!is_asked) return;
    std::vector<std::string> arguments{"--port",      std::to_string(options_.port),
                                       "--workers",   std::to_string(options_.workers),
                                       "--segment",   options_.segment,
                                       "--directory", options_.directory};
    if (options_.quiet) arguments.emplace_back("--quiet");
    ss::error_code manager_has_gone;
    manager_.reloading(manager_has_gone);
    try {
        next_.start(std::move(arguments));
    } catch (const std::system_error& failure) {
        report(failure.what());
    }
}

void server::on_event(ss::restart::event& one)
{
    switch (one.what) {
    // --- as predecessor
    case happening::successor_joined:
        has_joined_ = true;
        break;
    case happening::successor_ready:
        gives_        = true;
        has_finished_ = false;
        move_->make();
        workers_.stop();
        break;
    case happening::returned: {
        adopt(std::move(one.connection));
        ss::error_code gone;
        service_.dismiss("it does not take what this version gives", gone); // or it has ended already
        break;
    }
    case happening::successor_failed:
        has_joined_ = false;
        next_.kill();                                                    // it may hang, with what it has taken
        if (std::exchange(gives_, false) && !workers_.crew().signaled) { // or the service was asked to end meanwhile
            move_.emplace();                                             // workers that drain know the one before
            workers_.start();
        }
        report(one.text);
        break;
    case happening::replaced:
        ended_ = true;
        next_.let_go();
        if (const pid_t next = service_.successor().pid; next > 0 && workers_.crew().signaled)
            ::kill(next, SIGTERM); // the signal came here, and is for the service
        say_who_serves(service_.successor().pid);
        break;
    case happening::given:
    case happening::time_is_up: // the drain limits of the workers are shorter
        break;
    // --- as successor
    case happening::offered:
        take_or_decline(one);
        break;
    case happening::serving:
        begin_to_serve();
        break;
    case happening::dismissed:
        throw std::runtime_error("the last version has taken the service back: " + one.text);
    }
}

void server::begin_to_serve()
{
    segment_.here.unpublish("http"); // the last version may have had another listener
    segment_.here.publish("http", listener_);
    if (service_.is_successor()) say_who_serves(::getpid());
    ss::error_code manager_has_gone;
    manager_.ready(manager_has_gone);
    std::cout << "process " << ::getpid() << " serves, segment " << segment_.here.name() << std::endl;
}

// Both versions say it: the manager must know before the last one ends, or it takes that for the end of the service; and the last one
// may be killed before it could.
void server::say_who_serves(pid_t process)
{
    ss::error_code manager_has_gone;
    manager_.main_pid(process, manager_has_gone);
}

void server::report(const std::string& why_not)
{
    std::cerr << "process " << ::getpid() << " serves on; the next version does not: " << why_not << std::endl;
    ss::error_code manager_has_gone;
    manager_.status("no upgrade", manager_has_gone);
    manager_.ready(manager_has_gone); // the end of the reload
}

void server::take_or_decline(const ss::restart::event& offered)
{
    if (offered.tag != carry_format) return service_.decline(offered.gift, "this version does not know its format");
    ss::error_code ec;
    ss::restart::connection taken = service_.take(offered.gift, ec);
    if (ec == std::errc::operation_would_block || ec == ss::errc::upgrade_dismissed) return; // an event says the rest
    if (ec) return service_.decline(offered.gift, ec.message());
    adopt(std::move(taken));
}

void server::adopt(ss::restart::connection from)
{
    ss::handed_over one;
    one.socket = ss::shared_socket::adopt(segment_.here, from.socket.native_handle());
    from.socket.release();
    one.bytes = std::move(from.bytes);
    one.tag   = from.tag;
    moving_.push_back(std::move(one));
}

void server::collect()
{
    ss::error_code ec;
    while (moving_.size() < most_moving) {
        auto arrived = ss::receive_hand_over(segment_.here, ec);
        if (ec) std::cerr << "a connection of a worker did not arrive: " << ec.message() << std::endl;
        if (!arrived) return;
        moving_.push_back(std::move(*arrived));
    }
}

void server::pass_on()
{
    if (gives_) return give_on();
    while (!moving_.empty() && give_to_worker(moving_.front()))
        moving_.pop_front();
}

void server::give_on()
{
    for (;;) {
        while (!moving_.empty() && service_.can_give(moving_.front().bytes.size())) {
            ss::handed_over& one = moving_.front();
            service_.give(std::move(one.socket), {one.bytes, one.tag});
            moving_.pop_front();
        }
        if (!moving_.empty()) return; // after the next answer
        collect();
        if (moving_.empty()) break;
    }
    if (workers_.crew().finished && !std::exchange(has_finished_, true)) service_.finish();
}

// In turn; a worker that does not take it in time is passed over.
bool server::give_to_worker(ss::handed_over& one)
{
    const auto all = workers_.status();
    for (std::size_t tries = 0; tries < all.size(); ++tries) {
        const auto& candidate = all[next_worker_++ % all.size()];
        if (candidate.state != ss::prefork::worker_state::ready || !candidate.process) continue;
        ss::error_code ec;
        ss::hand_over(std::move(one.socket), candidate.process, {one.bytes, one.tag}, {.limit = 1s}, ec);
        if (!ec) return true;
    }
    return false;
}

} // namespace prefork_http
