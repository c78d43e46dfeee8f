// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/server.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace accept_bench {

/// One way to share a port among workers, for one round: made and prepared in the parent before it forks.
class scheme {
public:
    virtual ~scheme() = default;
    /// Listens on a port of its own choice; returns it.
    virtual std::uint16_t prepare(unsigned workers) = 0;
    /// In the worker with this number, after the fork: serves for ever. By default with the source and the conversation below.
    virtual void work(unsigned worker, worker_counters& counters);
    virtual std::unique_ptr<connection_source> source(unsigned worker);
    virtual std::unique_ptr<conversation> http() { return make_minimal_http(); }
    /// In the parent, after the workers were forked: other processes that work for them, whose time counts as well.
    virtual std::vector<pid_t> helpers() { return {}; }
    /// Whether the scheme brings its own servers, so that there are no workers to fork.
    virtual bool foreign() const { return false; }
    /// The accepts and answers of workers that do not count them, if they can be told.
    virtual void count(all_counters&) {}
};

struct scheme_entry {
    std::string name;
    std::string about;
    std::function<std::unique_ptr<scheme>()> make;
    bool has_long = true; ///< answers the requests that take long
};

/// All that can be compared here; nginx only if it is installed.
const std::vector<scheme_entry>& all_schemes();

std::unique_ptr<scheme> make_shared_listener(); ///< plain level-triggered epoll
std::unique_ptr<scheme> make_exclusive();       ///< EPOLLEXCLUSIVE
std::unique_ptr<scheme> make_reuse_port();      ///< SO_REUSEPORT
std::unique_ptr<scheme> make_shared_epoll();    ///< one epoll for the listener, inside each worker's own
std::unique_ptr<scheme> make_dispatcher();      ///< a process that accepts and passes descriptors round
std::unique_ptr<scheme> make_token();           ///< sharedsock: the registration as the turn
std::unique_ptr<scheme> make_in_turn();         ///< sharedsock's acceptor
std::unique_ptr<scheme> make_raw_beast();       ///< EPOLLEXCLUSIVE, and the HTTP of examples/prefork_http
std::unique_ptr<scheme> make_turn_beast();      ///< turn_acceptor, and the same HTTP
std::unique_ptr<scheme> make_asio_beast();      ///< SO_REUSEPORT, and the connections of examples/prefork_http on Asio's sockets
std::unique_ptr<scheme> make_prefork_http();    ///< examples/prefork_http
bool prefork_http_built();
std::unique_ptr<scheme> make_nginx();
bool nginx_installed();

/// The children that a server of its own has started, once there are as many as `count`. Throws if there are not within 5 s.
std::vector<pid_t> workers_of(pid_t server, unsigned count);

int listen_somewhere(bool reuse_port, std::uint16_t port = 0); ///< non-blocking, on loopback
std::uint16_t port_of(int listener);
int accept_one(int listener); ///< -1 if no connection waits

} // namespace accept_bench
