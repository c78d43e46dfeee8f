// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Becoming the owner of a socket's events: for the first time, once more, and from another process.
#include "support/comparison.hpp"
#include "support/helper_process.hpp"

#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>

namespace bench {
namespace {

constexpr ss::network_event mask = ss::network_event::read | ss::network_event::close;
constexpr int sockets            = 16;

class raw_sockets {
public:
    static constexpr int batch = sockets;

    raw_sockets()
    {
        for (int i = 0; i < batch; ++i)
            pairs_.push_back(unix_pair());
    }
    void prepare()
    {
        for (const auto& pair : pairs_)
            ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pair.near.get(), nullptr);
    }
    void step(int i)
    {
        epoll_event wanted{};
        wanted.events = EPOLLIN | EPOLLRDHUP;
        checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pairs_[static_cast<std::size_t>(i)].near.get(), &wanted), "epoll_ctl");
    }

protected:
    unique_fd epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    std::vector<pair_of_sockets> pairs_;
};

// The same, and tells the former owner through a pipe.
class raw_take_over : public raw_sockets {
public:
    raw_take_over()
    {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
        bell_ = {unique_fd(ends[0]), unique_fd(ends[1])};
    }
    void prepare()
    {
        raw_sockets::prepare();
        char bytes[4096];
        while (::read(bell_.near.get(), bytes, sizeof bytes) > 0) {
        }
    }
    void step(int i)
    {
        raw_sockets::step(i);
        checked(::write(bell_.far.get(), &i, sizeof i), "write");
    }

private:
    pair_of_sockets bell_;
};

class nothing {
public:
    static constexpr int batch = sockets;
    void step(int) { benchmark::ClobberMemory(); }
};

class shared_sockets {
public:
    static constexpr int batch = sockets;

    shared_sockets()
    {
        for (int i = 0; i < batch; ++i) {
            pair_of_sockets pair = unix_pair();
            shared_.push_back(adopt(where_, std::move(pair.near)));
            peers_.push_back(std::move(pair.far));
        }
    }
    void step(int i) { shared_[static_cast<std::size_t>(i)].event_select(ready_, mask); }
    /// Answers the doorbell: until then the entries of lost registrations stay in this process's epoll set.
    void listen() { static_cast<void>(ready_.is_set()); }
    void all()
    {
        for (int i = 0; i < batch; ++i)
            step(i);
    }

protected:
    ss::segment where_ = ss::segment::create_unnamed();
    std::vector<unique_fd> peers_;
    std::vector<ss::shared_socket> shared_;
    ss::event_object ready_;
};

class register_first : public shared_sockets {
public:
    void prepare()
    {
        for (auto& one : shared_)
            one.cancel_registration();
        listen();
    }
};

class register_again : public shared_sockets {
public:
    register_again() { all(); }
};

// The other process takes them all before each batch. Both read their doorbells outside of the measured time.
class take_over : public shared_sockets {
public:
    take_over()
        : other_([this](channel& talk) {
              for (char command = 0; talk.get(command); talk.put(command)) {
                  listen();
                  all();
              }
          })
    {}
    void prepare()
    {
        other_.ask('t');
        listen();
    }

private:
    helper_process other_;
};

} // namespace

void add_registration(comparisons& all)
{
    const goal as_epoll{.ratio = 1.15, .nanoseconds = {}, .extra_instructions = {}, .extra_calls = 0};
    all.push_back(compare<raw_sockets, register_first>("register first", as_epoll));
    all.push_back(compare<nothing, register_again>("register again, armed",
                                                   {.ratio = {}, .nanoseconds = {}, .extra_instructions = {}, .extra_calls = 0}));
    all.push_back(compare<raw_take_over, take_over>("register: take over", as_epoll));
}

} // namespace bench
