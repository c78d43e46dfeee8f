// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/transfer.hpp"

#include "events/connection_state.hpp"
#include "events/urgent.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <sys/socket.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

constexpr int receive_flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
constexpr int send_flags    = MSG_DONTWAIT | MSG_NOSIGNAL;

msghdr message_of(io_operation& operation, bool receives) noexcept
{
    msghdr message{};
    message.msg_iov    = const_cast<iovec*>(operation.pieces);
    message.msg_iovlen = operation.piece_count;
    if (operation.address) {
        message.msg_name    = operation.address->data();
        message.msg_namelen = receives ? socket_address::capacity() : operation.address->size();
    }
    return message;
}

ssize_t receive_once(io_operation& operation, handle& through, bool in_delivery)
{
    const bool urgent = urgent::concerns(through.slot(), operation.flags);
    if (operation.piece_count == 1 && !operation.address && !urgent) [[likely]]
        return ::recv(through.fd(), operation.pieces->iov_base, operation.pieces->iov_len, operation.flags | receive_flags);
    msghdr message    = message_of(operation, true);
    const int flags   = operation.flags | receive_flags;
    const ssize_t got = !urgent       ? ::recvmsg(through.fd(), &message, flags)
                        : in_delivery ? urgent::receive_in_delivery(through, message, flags)
                                      : urgent::receive(through, message, flags);
    if (operation.address && got >= 0) operation.address->resize(std::min(message.msg_namelen, socket_address::capacity()));
    return got;
}

ssize_t send_once(io_operation& operation, const handle& through) noexcept
{
    if (operation.piece_count == 1 && !operation.address) [[likely]]
        return ::send(through.fd(), operation.pieces->iov_base, operation.pieces->iov_len, operation.flags | send_flags);
    const msghdr message = message_of(operation, false);
    return ::sendmsg(through.fd(), &message, operation.flags | send_flags);
}

} // namespace

bool try_transfer(io_operation& operation, handle& through, bool in_delivery) noexcept
{
    const bool receives = operation.what == io_operation::kind::receive;
    const bool stream   = through.stream();
    if (operation.piece_count == 0 && stream) return true; // an empty transfer is done at once, as in Asio
    ssize_t done = 0;
    do {
        done = receives ? receive_once(operation, through, in_delivery) : send_once(operation, through);
    } while (done < 0 && errno == EINTR);
    if (done > 0 || (done == 0 && !(receives && stream))) [[likely]] {
        operation.bytes = static_cast<std::size_t>(done);
        return true;
    }
    if (done < 0 && errno == EAGAIN) return false;
    const int error = done == 0 ? connection_state::of_end(through.fd(), through.slot())
                                : connection_state::of_error(through.fd(), through.slot(), errno);
    if (error != 0)
        operation.ec = told_error(error, receives                                           ? sys<"recvmsg">
                                         : operation.piece_count == 1 && !operation.address ? sys<"sendto">
                                                                                            : sys<"sendmsg">);
    else
        operation.ec = boost::asio::error::eof;
    return true;
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
