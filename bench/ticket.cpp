// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A socket goes to another process: the source's half, and the target's.
#include "support/comparison.hpp"
#include "support/helper_process.hpp"

#include <array>
#include <cstring>
#include <vector>

namespace bench {
namespace {

constexpr int at_once = 32;

void send_descriptor(int through, int descriptor)
{
    std::array<std::byte, 64> text{};
    iovec piece{text.data(), text.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov        = &piece;
    message.msg_iovlen     = 1;
    message.msg_control    = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header  = CMSG_FIRSTHDR(&message);
    header->cmsg_level     = SOL_SOCKET;
    header->cmsg_type      = SCM_RIGHTS;
    header->cmsg_len       = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    checked(::sendmsg(through, &message, MSG_NOSIGNAL), "sendmsg");
}

unique_fd receive_descriptor(int from)
{
    std::array<std::byte, 64> text{};
    iovec piece{text.data(), text.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov        = &piece;
    message.msg_iovlen     = 1;
    message.msg_control    = control.data();
    message.msg_controllen = control.size();
    checked(::recvmsg(from, &message, MSG_CMSG_CLOEXEC), "recvmsg");
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    int descriptor              = -1;
    if (header != nullptr) std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return unique_fd(checked(descriptor, "no descriptor"));
}

std::uint64_t cookie_of(int descriptor)
{
    std::uint64_t cookie = 0;
    socklen_t size       = sizeof cookie;
    checked(::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size), "SO_COOKIE");
    return cookie;
}

// A kept connection to the other process, which receives and closes the sockets sent to it, or sends as many.
class raw_transfer {
public:
    static constexpr int batch = at_once;

    raw_transfer()
        : connection_(seqpacket_pair()), other_([this](channel& talk) {
              for (char command = 0; talk.get(command); talk.put(command)) {
                  for (int i = 0; i < batch; ++i) {
                      if (command == 'r')
                          receive_descriptor(connection_.far.get());
                      else
                          send_descriptor(connection_.far.get(), socket_.near.get());
                  }
              }
          })
    {}

protected:
    static pair_of_sockets seqpacket_pair()
    {
        int ends[2];
        checked(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
        return {unique_fd(ends[0]), unique_fd(ends[1])};
    }

    pair_of_sockets connection_;
    pair_of_sockets socket_ = unix_pair();
    helper_process other_;
};

class raw_send : public raw_transfer {
public:
    void prepare()
    {
        if (std::exchange(sent_, true)) other_.ask('r');
    }
    void step(int) { send_descriptor(connection_.near.get(), socket_.near.get()); }

private:
    bool sent_ = false;
};

class raw_receive : public raw_transfer {
public:
    void prepare()
    {
        for (auto& one : received_)
            one.reset();
        other_.ask('s');
    }
    void step(int i)
    {
        unique_fd& place = received_[static_cast<std::size_t>(i)];
        place            = receive_descriptor(connection_.near.get());
        if (cookie_of(place.get()) != cookie_) throw std::runtime_error("another socket");
    }

private:
    const std::uint64_t cookie_ = cookie_of(socket_.near.get());
    std::array<unique_fd, batch> received_;
};

using tickets = std::array<ss::ticket, at_once>;

// Two members of a segment, with a handle each, the other one a fork of this.
class transfer {
public:
    static constexpr int batch = at_once;

    transfer()
        : other_([this](channel& talk) {
              talk.put(where_.self());
              for (char command = 0; talk.get(command); talk.put(command)) {
                  if (command == 'r') { // redeem the tickets that come, and close the sockets
                      for (const ss::ticket& one : talk.get<tickets>())
                          ss::shared_socket::redeem(where_, one);
                  } else { // make as many for the process that is named
                      const auto target = talk.get<ss::process_id>();
                      for (ss::ticket& one : made_)
                          one = socket_.duplicate(target);
                      talk.put(made_);
                  }
              }
          }),
          target_(other_.talk().get<ss::process_id>())
    {}

protected:
    ss::segment where_        = ss::segment::create_unnamed();
    pair_of_sockets ends_     = unix_pair();
    ss::shared_socket socket_ = adopt(where_, std::move(ends_.near));
    tickets made_;
    helper_process other_;
    ss::process_id target_;
};

class duplicate : public transfer {
public:
    void prepare()
    {
        if (!std::exchange(made_some_, true)) return;
        other_.talk().put('r');
        other_.talk().put(made_);
        other_.talk().get<char>();
    }
    void step(int i) { made_[static_cast<std::size_t>(i)] = socket_.duplicate(target_); }

private:
    bool made_some_ = false;
};

class redeem : public transfer {
public:
    void prepare()
    {
        for (auto& one : redeemed_)
            one = ss::shared_socket();
        other_.talk().put('s');
        other_.talk().put(where_.self());
        made_ = other_.talk().get<tickets>();
        other_.talk().get<char>();
    }
    void step(int i)
    {
        const auto place = static_cast<std::size_t>(i);
        redeemed_[place] = ss::shared_socket::redeem(where_, made_[place]);
    }

private:
    std::array<ss::shared_socket, batch> redeemed_;
};

} // namespace

void add_ticket(comparisons& all)
{
    all.push_back(compare<raw_send, duplicate>("duplicate", {}));
    all.push_back(compare<raw_receive, redeem>("redeem", {}));
    all.push_back(sum("duplicate + redeem", {"duplicate", "redeem"}, {.ratio = 1.15}));
}

} // namespace bench
