// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// send and receive through a handle, beside the same two calls on the descriptors.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <array>
#include <cstddef>

namespace bench {
namespace {

constexpr std::size_t size = 64;

template <pair_of_sockets make()>
class raw_exchange {
public:
    static constexpr int batch = 64;

    void step(int)
    {
        checked(::send(ends_.near.get(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL), "send");
        checked(::recv(ends_.far.get(), bytes_.data(), bytes_.size(), 0), "recv");
    }

private:
    pair_of_sockets ends_ = make();
    std::array<std::byte, size> bytes_{};
};

template <pair_of_sockets make()>
class handle_exchange {
public:
    static constexpr int batch = 64;

    void step(int)
    {
        near_.send(bytes_);
        far_.receive(bytes_);
    }

protected:
    explicit handle_exchange(pair_of_sockets ends)
        : near_(adopt(where_, std::move(ends.near))), far_(adopt(where_, std::move(ends.far)))
    {}

public:
    handle_exchange() : handle_exchange(make()) {}

protected:
    ss::segment where_ = ss::segment::create_unnamed();
    ss::shared_socket near_, far_;
    std::array<std::byte, size> bytes_{};
};

// With a registration that does not wait for these calls: it was made for CLOSE.
template <pair_of_sockets make()>
class registered_exchange : public handle_exchange<make> {
public:
    registered_exchange()
    {
        this->near_.event_select(ready_, ss::network_event::close);
        this->far_.event_select(ready_, ss::network_event::close);
    }

private:
    ss::event_object ready_;
};

} // namespace

void add_send_receive(comparisons& all)
{
    const goal no_toll{.ratio = {}, .nanoseconds = {}, .extra_instructions = 200, .extra_calls = 0}; // 100 for each of the two
    all.push_back(compare<raw_exchange<unix_pair>, handle_exchange<unix_pair>>("send + receive, unix pair", no_toll));
    all.push_back(compare<raw_exchange<tcp_pair>, handle_exchange<tcp_pair>>("send + receive, TCP loopback", no_toll));
    all.push_back(compare<raw_exchange<unix_pair>, registered_exchange<unix_pair>>("send + receive, registered", no_toll));
}

} // namespace bench
