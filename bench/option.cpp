// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// State that is common to all handles: asked of the slot, and of the kernel.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <atomic>

namespace bench {
namespace {

class atomic_load {
public:
    static constexpr int batch = 1024;
    void step(int) { benchmark::DoNotOptimize(word_.load(std::memory_order_relaxed)); }

private:
    std::atomic<std::uint32_t> word_{1};
};

class handle_holder {
protected:
    ss::segment where_        = ss::segment::create_unnamed();
    ss::shared_socket socket_ = ss::shared_socket::open(where_, AF_INET, SOCK_STREAM);
};

class blocking_mode : handle_holder {
public:
    static constexpr int batch = 1024;
    void step(int) { benchmark::DoNotOptimize(socket_.blocking()); }
};

class raw_option {
public:
    static constexpr int batch = 256;
    void step(int)
    {
        int value      = 0;
        socklen_t size = sizeof value;
        checked(::getsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &value, &size), "getsockopt");
        benchmark::DoNotOptimize(value);
    }

private:
    unique_fd socket_{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
};

class shared_option : handle_holder {
public:
    static constexpr int batch = 256;
    void step(int)
    {
        int value = 0;
        ss::error_code ec;
        socket_.get_option(SOL_SOCKET, SO_RCVBUF, &value, sizeof value, ec);
        benchmark::DoNotOptimize(value);
    }
};

} // namespace

void add_option(comparisons& all)
{
    all.push_back(compare<atomic_load, blocking_mode>("blocking mode, from the slot", {.ratio = {}, .nanoseconds = 10}));
    all.push_back(compare<raw_option, shared_option>("option, from the kernel", {.ratio = 1.1}));
}

} // namespace bench
