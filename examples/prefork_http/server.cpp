// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include "worker.hpp"

#include <iostream>

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

} // namespace

server::server(options wanted)
    : options_(with_name(std::move(wanted))),
      scores_(ss::prefork::most_workers),
      segment_(options_.segment, {.sockets = 65'536, .directory = options_.directory}),
      listener_(ss::shared_socket::listen(segment_.here, ss::socket_address::loopback(options_.port))),
      workers_(rules(), [this](ss::prefork::worker& self) { return work(self); })
{
    workers_.take_signals();
    workers_.appear_in(segment_.here);
    segment_.here.publish("http", listener_);
    std::cout << "http://" << to_string(listener_.local_address()) << "/ segment " << options_.segment << std::endl;
}

server::~server() { stop(); }

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
    self.appear_in(segment_.here);
    worker(self, std::move(listener_), scores_).run();
    segment_.here = {}; // handles that the child got by fork end in order as well
    return 0;
}

void server::start()
{
    workers_.start();
    workers_.wait_ready();
}

void server::run() { workers_.run(); }

void server::supervise() { workers_.poll(); }

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
