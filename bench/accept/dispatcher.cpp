// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A process that accepts for all and passes the descriptors round by SCM_RIGHTS.
#include "accept/scheme.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace accept_bench {
namespace {

constexpr std::int32_t mail_ready = -2;

union control {
    cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

void pass(int to, int connection)
{
    char byte = 0;
    iovec data{&byte, 1};
    control with{};
    msghdr message{};
    message.msg_iov        = &data;
    message.msg_iovlen     = 1;
    message.msg_control    = with.room;
    message.msg_controllen = sizeof with.room;
    cmsghdr* const head    = CMSG_FIRSTHDR(&message);
    head->cmsg_level       = SOL_SOCKET;
    head->cmsg_type        = SCM_RIGHTS;
    head->cmsg_len         = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &connection, sizeof connection);
    if (::sendmsg(to, &message, MSG_NOSIGNAL) < 0) fail("sendmsg");
}

int receive(int from)
{
    char byte = 0;
    iovec data{&byte, 1};
    control with{};
    msghdr message{};
    message.msg_iov        = &data;
    message.msg_iovlen     = 1;
    message.msg_control    = with.room;
    message.msg_controllen = sizeof with.room;
    if (::recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) return -1;
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return -1;
    int connection = -1;
    std::memcpy(&connection, CMSG_DATA(head), sizeof connection);
    return connection;
}

class mail_source final : public connection_source {
public:
    explicit mail_source(int mail) : mail_(mail) {}
    void start(server& to) override { to.watch(mail_, EPOLLIN, mail_ready); }
    void ready(server& to, std::int32_t) override
    {
        const int connection = receive(mail_);
        if (connection >= 0) to.begin(connection);
    }
    // The dispatcher may have its descriptor open still: then epoll would go on reporting a socket that is closed here.
    void ending(server& of, int connection) override { of.unwatch(connection); }

private:
    const int mail_;
};

class dispatcher final : public scheme {
public:
    ~dispatcher() override
    {
        for (const auto& [ours, theirs] : mail_) {
            ::close(ours);
            ::close(theirs);
        }
        ::close(listener_);
    }
    std::uint16_t prepare(unsigned workers) override
    {
        listener_ = listen_somewhere(false);
        for (unsigned i = 0; i < workers; ++i) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
            mail_.emplace_back(ends[0], ends[1]);
        }
        return port_of(listener_);
    }
    std::unique_ptr<connection_source> source(unsigned worker) override
    {
        return std::make_unique<mail_source>(mail_.at(worker).second);
    }
    std::vector<pid_t> helpers() override
    {
        const pid_t child = ::fork();
        if (child < 0) fail("fork");
        if (child != 0) return {child};
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::size_t next = 0;
        for (pollfd ready{listener_, POLLIN, 0};;) {
            const int connection = accept_one(listener_);
            if (connection < 0) {
                ::poll(&ready, 1, -1);
                continue;
            }
            pass(mail_[next++ % mail_.size()].first, connection);
            ::close(connection);
        }
    }

private:
    int listener_ = -1;
    std::vector<std::pair<int, int>> mail_; // the dispatcher's end, the worker's
};

} // namespace

std::unique_ptr<scheme> make_dispatcher() { return std::make_unique<dispatcher>(); }

} // namespace accept_bench
