// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A socket is given away with the bytes already read, and received: both halves, from a process to itself.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/socket.h>

namespace bench {
namespace {

constexpr int at_once = 32;

// The calls of a program without the library: bytes and descriptor in one message, then close; the receiver calls recvmsg and looks
// whether it is the right socket.
template <std::size_t Bytes>
class raw_hand_over {
public:
    static constexpr int batch = at_once;

    raw_hand_over()
    {
        int ends[2];
        checked(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
        way_ = {unique_fd(ends[0]), unique_fd(ends[1])};
    }

    void step(int)
    {
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
        iovec piece{carry_.data(), carry_.size()};
        msghdr message{};
        message.msg_iov        = &piece;
        message.msg_iovlen     = 1;
        message.msg_control    = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header  = CMSG_FIRSTHDR(&message);
        header->cmsg_level     = SOL_SOCKET;
        header->cmsg_type      = SCM_RIGHTS;
        header->cmsg_len       = CMSG_LEN(sizeof(int));
        const int descriptor   = socket_.near.get();
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        checked(::sendmsg(way_.near.get(), &message, MSG_NOSIGNAL), "sendmsg");
        socket_.near.reset();

        message.msg_controllen = control.size();
        checked(::recvmsg(way_.far.get(), &message, MSG_CMSG_CLOEXEC), "recvmsg");
        int arrived = -1;
        std::memcpy(&arrived, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof arrived);
        socket_.near.reset(arrived);
        std::uint64_t cookie = 0;
        socklen_t size       = sizeof cookie;
        checked(::getsockopt(arrived, SOL_SOCKET, SO_COOKIE, &cookie, &size), "SO_COOKIE");
    }

private:
    pair_of_sockets way_;
    pair_of_sockets socket_       = unix_pair();
    std::vector<std::byte> carry_ = std::vector<std::byte>(Bytes);
};

template <std::size_t Bytes>
class our_hand_over {
public:
    static constexpr int batch = at_once;

    void step(int)
    {
        ss::hand_over_unacknowledged(std::move(socket_), where_.self(), {carry_, 1});
        socket_ = std::move(ss::receive_hand_over(where_)->socket);
    }

private:
    ss::segment where_            = ss::segment::create_unnamed();
    pair_of_sockets ends_         = unix_pair();
    ss::shared_socket socket_     = adopt(where_, std::move(ends_.near));
    std::vector<std::byte> carry_ = std::vector<std::byte>(Bytes);
};

// The giver keeps the socket until it sees that it was taken: a bell more, and a look. No thread sleeps: giver and taker are one.
template <std::size_t Bytes>
class our_acknowledged_hand_over {
public:
    static constexpr int batch = at_once;

    void step(int)
    {
        ss::pending_hand_over given(std::move(socket_), where_.self(), {carry_, 1});
        socket_ = std::move(ss::receive_hand_over(where_)->socket);
        where_.poll(); // hears the bell
        ss::error_code ec;
        if (given.state(ec) != ss::hand_over_state::taken) std::abort();
    }

private:
    ss::segment where_            = ss::segment::create_unnamed();
    pair_of_sockets ends_         = unix_pair();
    ss::shared_socket socket_     = adopt(where_, std::move(ends_.near));
    std::vector<std::byte> carry_ = std::vector<std::byte>(Bytes);
};

} // namespace

void add_hand_over(comparisons& all)
{
    all.push_back(compare<raw_hand_over<1'000>, our_hand_over<1'000>>("hand over + receive, 1000 bytes", {}));
    all.push_back(compare<raw_hand_over<1'000>, our_acknowledged_hand_over<1'000>>("the same, acknowledged", {}));
    all.push_back(compare<raw_hand_over<100'000>, our_hand_over<100'000>>("hand over + receive, 100 kB", {}));
}

} // namespace bench
