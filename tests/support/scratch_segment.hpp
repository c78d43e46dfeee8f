// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace test {

/// A segment with a name of its own, removed at the end of scope, and this process's attachment to it.
class scratch_segment {
public:
    explicit scratch_segment(sharedsock::segment_options options = {.sockets = 64, .processes = 32})
        : name_(unique_name()), options_(std::move(options)), segment_(sharedsock::segment::create(name_, options_))
    {}
    ~scratch_segment()
    {
        sharedsock::error_code ignored; // a test may have removed it
        sharedsock::segment::remove(name_, options_, true, ignored);
    }
    scratch_segment(const scratch_segment&)            = delete;
    scratch_segment& operator=(const scratch_segment&) = delete;

    const std::string& name() const noexcept { return name_; }
    const sharedsock::segment_options& options() const noexcept { return options_; }
    sharedsock::segment& operator*() noexcept { return segment_; }
    sharedsock::segment* operator->() noexcept { return &segment_; }
    operator sharedsock::segment&() noexcept { return segment_; }

private:
    const std::string name_;
    const sharedsock::segment_options options_;
    sharedsock::segment segment_;
};

/// A connected pair: a shared socket, and the plain descriptor of its peer.
class connection {
public:
    explicit connection(const sharedsock::segment& where, int family = AF_UNIX, int type = SOCK_STREAM)
    {
        int ends[2];
        if (family == AF_UNIX) {
            if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
                throw sharedsock::system_error(errno, boost::system::system_category());
        } else {
            connect_over_loopback(ends, type);
        }
        socket = sharedsock::shared_socket::adopt(where, ends[0]);
        peer   = ends[1];
    }
    ~connection() { close_peer(); }
    connection(const connection&)            = delete;
    connection& operator=(const connection&) = delete;

    void say(std::string_view text) const
    {
        if (::send(peer, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
            throw sharedsock::system_error(errno, boost::system::system_category());
    }
    void close_peer()
    {
        if (peer >= 0) ::close(std::exchange(peer, -1));
    }
    /// Closes the peer with a reset.
    void reset_peer()
    {
        const linger now{1, 0};
        ::setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close_peer();
    }

    sharedsock::shared_socket socket;
    int peer = -1;

private:
    static void connect_over_loopback(int (&ends)[2], int type)
    {
        using sharedsock::socket_address;
        const int listener     = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        socket_address address = socket_address::loopback(0);
        socklen_t size         = address.size();
        ::bind(listener, address.data(), size);
        ::listen(listener, 1);
        ::getsockname(listener, address.data(), &size);
        ends[1] = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        ::connect(ends[1], address.data(), size);
        ends[0] = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        ::close(listener);
        if (ends[0] < 0) throw sharedsock::system_error(errno, boost::system::system_category());
    }
};

} // namespace test
