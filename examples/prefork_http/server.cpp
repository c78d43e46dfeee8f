// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include "worker.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace prefork_http {

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

options with_name(options wanted)
{
    if (wanted.segment.empty()) wanted.segment = play::name_of("prefork_http");
    return wanted;
}

ss::restart::generation join(const options& how)
{
    ss::restart::options rules;
    rules.directory = how.directory;
    return ss::restart::generation::join(how.segment, rules);
}

// The generations share the segment. A version of the library with another layout makes one of its own: only the listener and the
// connections cross then.
play::own_segment segment_of(const options& how, const ss::restart::generation& service)
{
    const ss::segment_options rules{.sockets = 65'536, .directory = how.directory};
    if (!service.is_successor()) return play::own_segment(how.segment, rules);
    ss::error_code ec;
    ss::segment shared = ss::segment::open_or_create(how.segment, rules, ec);
    if (!ec) return play::own_segment(std::move(shared), how.segment, rules);
    if (ec != ss::errc::other_layout) throw ss::system_error(ec);
    return play::own_segment(how.segment + '.' + std::to_string(service.predecessor().number + 1), rules);
}

std::optional<std::chrono::microseconds> take_watchdog()
{
    const auto period = ss::systemd::watchdog_period();
    ::unsetenv("WATCHDOG_PID"); // the next version feeds it after this process
    return period;
}

int take_upgrade_signal()
{
    sigset_t which;
    sigemptyset(&which);
    sigaddset(&which, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &which, nullptr); // also in the workers: a signal to the whole group does not end them
    const int number = ::signalfd(-1, &which, SFD_CLOEXEC | SFD_NONBLOCK);
    if (number < 0) throw std::system_error(errno, std::system_category(), "signalfd");
    return number;
}

} // namespace

server::server(options wanted)
    : options_(with_name(std::move(wanted))),
      scores_(ss::prefork::most_workers),
      service_(join(options_)),
      segment_(segment_of(options_, service_)),
      listener_(service_.listen(segment_.here, "http", ss::socket_address::loopback(options_.port))),
      parent_(segment_.here.self()),
      signals_(take_upgrade_signal()),
      workers_(rules(), [this](ss::prefork::worker& self) { return work(self); }),
      manager_(ss::systemd::notifier::from_environment()),
      watchdog_(take_watchdog())
{
    workers_.take_signals();
    workers_.appear_in(segment_.here);
    if (service_.is_successor()) return;
    std::cout << "http://" << to_string(listener_.local_address()) << "/ segment " << options_.segment << std::endl;
}

server::~server()
{
    stop();
    ::close(signals_);
    segment_.let_others_keep_it(!service_.serves()); // it is the next version's, or still the last one's
}

ss::prefork::options server::rules()
{
    ss::prefork::options how;
    how.workers   = options_.workers;
    how.respawn   = {.first = 50ms, .most = 5s, .stable = 1s};
    how.limit     = {.deaths = 10, .within = 5s};
    how.drain     = {.asked = 4s, .terminated = 1s}; // workers take 2 s themselves
    how.on_change = [this](const ss::prefork::worker_status& change) { note(change); };
    return how;
}

int server::work(ss::prefork::worker& self)
{
    moving_.clear(); // handles that came by fork
    self.appear_in(segment_.here);
    worker(self, std::move(listener_), scores_, {parent_, accept_, *move_}).run();
    segment_.here = {}; // handles that the child got by fork end in order as well
    return 0;
}

void server::start()
{
    workers_.start();
    workers_.wait_ready();
    service_.ready();
    accept_.make();
    if (service_.serves()) begin_to_serve();
}

void server::run()
{
    while (!ended_ && !(workers_.crew().finished && !gives_)) {
        std::array<pollfd, 5> asked{{{workers_.native_handle(), POLLIN, 0},
                                     {service_.native_handle(), POLLIN, 0},
                                     {segment_.here.native_handle(), POLLIN, 0},
                                     {signals_, POLLIN, 0},
                                     {next_.native_handle(), POLLIN, 0}}};
        // A connection that no worker could take is offered again.
        const int limit = moving_.empty() || gives_ ? give_sign_of_life() : 10;
        if (::poll(asked.data(), asked.size(), limit) < 0 && errno != EINTR)
            throw std::system_error(errno, std::system_category(), "poll");
        supervise();
    }
    if (!ended_) workers_.run(); // says how they have ended
}

int server::give_sign_of_life()
{
    if (!watchdog_ || !manager_) return -1;
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_sign_) {
        ss::error_code manager_has_gone;
        manager_.watchdog(manager_has_gone);
        next_sign_ = now + *watchdog_ / 2;
    }
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next_sign_ - now).count());
}

void server::supervise()
{
    workers_.poll();
    segment_.here.poll();
    on_signal();
    if (next_.has_ended() && !has_joined_) report("it has ended before it could join the service");
    while (auto happened = ended_ ? std::nullopt : service_.poll())
        on_event(*happened);
    if (ended_) return;
    collect();
    pass_on();
}

bool server::stop()
{
    workers_.stop();
    ss::error_code workers_had_kept_dying; // `run` or `supervise` has reported it
    workers_.run(workers_had_kept_dying);
    return all_well_;
}

void server::note(const ss::prefork::worker_status& change)
{
    using ss::prefork::worker_state;
    const std::string who = "worker " + std::to_string(change.pid);
    if (change.state == worker_state::starting && !options_.quiet) std::cout << who << " starts" << std::endl;
    if (change.state != worker_state::ended || change.pid == 0) return;
    if (!change.reason.empty()) std::cerr << who << ": " << change.reason << std::endl;
    if (!options_.quiet) std::cout << who << ' ' << to_string(*change.last_exit) << std::endl;
    if (workers_.crew().stopping) all_well_ = all_well_ && change.last_exit->well();
}

} // namespace prefork_http
