// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// Common to the tests of the mailbox.
#pragma once

#include "ipc/mail_peers.hpp"
#include "ipc/mailbox.hpp"
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/unique_name.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

namespace test {

using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::detail::delivered_message;
using sharedsock::detail::mail_message;
using sharedsock::detail::mailbox;
using sharedsock::detail::unique_fd;

inline unique_fd open_directory(const std::string& path)
{
    return unique_fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

struct socket_pair {
    unique_fd near, far;

    socket_pair()
    {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
            throw std::runtime_error("socketpair");
        }
        near.reset(ends[0]);
        far.reset(ends[1]);
    }
};

inline std::uint64_t cookie_of(int socket)
{
    std::uint64_t cookie = 0;
    socklen_t size       = sizeof cookie;
    ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
}

inline mail_message offer_of(int socket, std::uint64_t nonce = 0)
{
    mail_message text;
    text.cookie = cookie_of(socket);
    text.nonce  = nonce;
    return text;
}

inline mail_message request(std::uint64_t nonce = 0)
{
    mail_message text;
    text.what  = mail_message::kind::request;
    text.nonce = nonce;
    return text;
}

inline bool readable(int descriptor)
{
    pollfd one{descriptor, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

// Whether the other end of this socket is closed; waits for the kernel to say so.
inline bool peer_closed(int socket)
{
    pollfd one{socket, POLLIN, 0};
    char byte = 0;
    return ::poll(&one, 1, deadline().left_ms()) == 1 && ::recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

// Whether `one` is the other end of `other`.
inline bool connected(const unique_fd& one, const unique_fd& other)
{
    char byte = 0;
    return ::send(one.get(), "x", 1, MSG_NOSIGNAL) == 1 && ::recv(other.get(), &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x';
}

// The processes of a segment whose mailboxes all have their names, and belong to one user.
struct peers_of_one_user final : sharedsock::detail::mail_peers {
    void note_own_user() noexcept override {}
    bool is_user(uid_t) const noexcept override { return false; } // a mailbox knows this process's own user
    box_place find_box(std::uint32_t index) const noexcept override
    {
        const auto found = pids.find(index);
        return found != pids.end() ? box_place{box_place::kind::described, found->second, -1} : box_place{};
    }

    std::map<std::uint32_t, pid_t> pids;
};

// A directory as segments have it, and the mailbox of process 0.
struct post_office {
    scratch_directory scratch;
    unique_fd directory = open_directory(scratch.path());
    peers_of_one_user peers;
    mailbox box{directory.get(), peers};

    post_office()
    {
        error_code ec;
        box.open(0, ec);
        REQUIRE_FALSE(ec);
    }

    std::string path(std::uint32_t index) const { return scratch.path() / ("box." + std::to_string(index)); }

    std::optional<delivered_message> next()
    {
        error_code ec;
        auto arrived = box.receive(ec);
        CHECK_FALSE(ec);
        return arrived;
    }

    error_code send(std::uint32_t to, const mail_message& text, int descriptor = -1)
    {
        error_code ec;
        box.send(to, text, descriptor, ec);
        return ec;
    }
};

} // namespace test
