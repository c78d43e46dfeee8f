// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/deposit.hpp"

#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "ipc/message.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace sharedsock::detail::deposit {

unique_fd make(int descriptor, error_code& ec) noexcept
{
    ec.clear();
    unique_fd made, sender;
    if (!new_fd::pair(AF_UNIX, SOCK_SEQPACKET, made, sender)) {
        ec = last_error(sys<"socketpair">);
        return {};
    }
    mail_message text;
    text.what   = mail_message::kind::grant;
    text.cookie = cookie_of(descriptor);
    if (const int error = send_message(sender.get(), text, descriptor); error != 0) {
        ec = error_of(sys<"sendmsg">, error);
        return {};
    }
    return made;
}

unique_fd look(int descriptor, error_code& ec) noexcept
{
    ec.clear();
    peeked_message inside(descriptor);
    if (inside.nothing() || inside.end()) return {};
    if (inside.descriptor_left_behind()) {
        ec.assign(EMFILE, boost::system::system_category());
        return {};
    }
    if (inside.text.what != mail_message::kind::grant || !inside.acceptable()) return {};
    return std::move(inside.descriptors[0]);
}

void empty(int descriptor) noexcept { ::recv(descriptor, nullptr, 0, MSG_DONTWAIT); }

} // namespace sharedsock::detail::deposit
