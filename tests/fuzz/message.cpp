// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Messages in the mailbox of a process that serves: no message makes it keep a descriptor, lose its own, or stop answering.
//
// An input is a row of messages: a byte how (descriptors to send along, fields to put right), a byte for the size, the bytes.
#include "ipc/message.hpp"

#include "fuzz/target.hpp"
#include "support/descriptors.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using sharedsock::detail::mail_message;
using sharedsock::detail::unique_fd;

constexpr std::size_t most_messages = 4;

class world {
public:
    static world& one()
    {
        static world only;
        return only;
    }

    void deliver(fuzz::reader& in)
    {
        const std::uint8_t how   = in.byte();
        const std::size_t size   = std::min<std::size_t>(in.byte(), in.left());
        unsigned char bytes[256] = {};
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = in.byte();
        mail_message text;
        if ((how & 4) != 0 && size >= sizeof text) { // the fields that are checked first, so that an input reaches more
            std::memcpy(&text, bytes, sizeof text);
            text.magic               = mail_message::magic_value;
            text.what                = static_cast<mail_message::kind>(1 + static_cast<std::uint32_t>(text.what) % 3);
            text.receiver            = segment_.self().index;
            text.receiver_generation = segment_.self().generation;
            if ((how & 8) != 0) text.cookie = cookie_of(pair_[0].get());
            if ((how & 16) != 0) text.socket = text.socket % 4;
            std::memcpy(bytes, &text, sizeof text);
        }
        send(bytes, size, how & 3);
    }

    void serve_and_check()
    {
        segment_.poll();
        fuzz::require(segment_.alive(segment_.self()), "the process lives");
        connection_.reset();
        segment_.poll();
        if (++rounds_ % 256 == 0) fuzz::require(test::open_descriptors() <= usual_ + 8, "no descriptor is left behind");
    }

private:
    world()
    {
        int ends[2];
        fuzz::require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
        pair_[0].reset(ends[0]);
        pair_[1].reset(ends[1]);
        usual_ = test::open_descriptors();
    }

    static std::uint64_t cookie_of(int socket)
    {
        std::uint64_t cookie = 0;
        socklen_t length     = sizeof cookie;
        ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &length);
        return cookie;
    }

    void connect()
    {
        if (connection_) return;
        connection_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family     = AF_UNIX;
        const std::string path = directory_.path() / ("sharedsock." + std::to_string(::geteuid()) + ".f") / "ways" / "box.0";
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        fuzz::require(::connect(connection_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
                      "the mailbox takes a connection");
    }

    void send(void* bytes, std::size_t size, int descriptors)
    {
        connect();
        iovec piece{bytes, size};
        msghdr message{};
        message.msg_iov                                            = &piece;
        message.msg_iovlen                                         = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {};
        if (descriptors != 0) {
            const int numbers[3]   = {pair_[0].get(), pair_[1].get(), pair_[0].get()};
            message.msg_control    = control;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(descriptors));
            cmsghdr* const rights  = CMSG_FIRSTHDR(&message);
            rights->cmsg_level     = SOL_SOCKET;
            rights->cmsg_type      = SCM_RIGHTS;
            rights->cmsg_len       = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(descriptors));
            std::memcpy(CMSG_DATA(rights), numbers, sizeof(int) * static_cast<std::size_t>(descriptors));
        }
        ::sendmsg(connection_.get(), &message, MSG_NOSIGNAL); // a mailbox may have closed on this process, as on an enemy
    }

    fuzz::directory directory_;
    sharedsock::segment segment_ = sharedsock::segment::create("f", {.sockets = 4, .processes = 4, .directory = directory_.path()});
    sharedsock::shared_socket listener_ = sharedsock::shared_socket::listen(segment_, sharedsock::socket_address::loopback(0));
    unique_fd pair_[2];
    unique_fd connection_;
    std::size_t usual_    = 0;
    std::uint64_t rounds_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::reader in(data, size);
    for (std::size_t count = 0; count < most_messages && in.left() != 0; ++count)
        world::one().deliver(in);
    world::one().serve_and_check();
    return 0;
}
