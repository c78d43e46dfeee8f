// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Sockets that come and go.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <vector>

namespace bench {
namespace {

class raw_life {
public:
    static constexpr int batch = 64;
    void step(int) { const unique_fd opened(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")); }
};

class shared_life {
public:
    static constexpr int batch = 64;
    void step(int) { ss::shared_socket::open(where_, AF_INET, SOCK_STREAM).close(); }

private:
    ss::segment where_ = ss::segment::create_unnamed();
};

// Connections wait in the backlog.
class waiting_clients {
public:
    static constexpr int batch = 16;
    void prepare()
    {
        clients_.clear();
        for (int i = 0; i < batch; ++i)
            clients_.push_back(tcp_client(address_));
    }

protected:
    ss::socket_address address_;
    std::vector<unique_fd> clients_;
};

class raw_accept : public waiting_clients {
public:
    void step(int)
    {
        const unique_fd accepted(checked(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), "accept4"));
    }

private:
    unique_fd listener_ = tcp_listener(address_);
};

class shared_accept : public waiting_clients {
public:
    void step(int) { listener_.accept().close(); }

private:
    ss::segment where_          = ss::segment::create_unnamed();
    ss::shared_socket listener_ = adopt(where_, tcp_listener(address_));
};

} // namespace

void add_socket_life(comparisons& all)
{
    all.push_back(compare<raw_life, shared_life>("create + close", {.ratio = 1.05}));
    all.push_back(compare<raw_accept, shared_accept>("accept + close", {}));
}

} // namespace bench
