// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "base/syscall.hpp"
#include "events/urgent.hpp"

#include <cstddef>

#include <sys/socket.h>
#include <sys/uio.h>

/// One receive or one send, which never waits. The data calls of `shared_socket` and the operations of Asio objects are made of
/// these. Each is one system call and returns its result; `failure_of` and `end_of` say what the caller is told (ERR-5, STATE-9).
///
/// Every call passes MSG_DONTWAIT itself: another process may have cleared O_NONBLOCK, which all descriptors share.
namespace sharedsock::detail::transfer {

inline constexpr int receive_flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
inline constexpr int send_flags    = MSG_DONTWAIT | MSG_NOSIGNAL;

inline msghdr message_of(const iovec* pieces, std::size_t count) noexcept
{
    msghdr message{};
    message.msg_iov    = const_cast<iovec*>(pieces);
    message.msg_iovlen = count;
    return message;
}

/// `delivery`: a delivery of the owner is under way, and Asio's lock of the descriptor is held, under which no registration may be
/// called. So the library tells no process then that an urgent byte has moved to the slot: the owner has not nominated OOB, and the
/// end of the delivery rings a process that has taken over meanwhile.
enum class during : bool { call, delivery };

/// Receives what the urgent data of the stream allows (EVT-14): more than one system call.
ssize_t receive_past_urgent(handle& through, msghdr& message, int flags, during when);
ssize_t receive_past_urgent(handle& through, const iovec& room, int flags, during when);

inline ssize_t receive(handle& through, const iovec& room, int flags, during when)
{
    if (urgent::concerns(through.slot(), flags)) [[unlikely]]
        return receive_past_urgent(through, room, flags, when);
    return ::recv(through.fd(), room.iov_base, room.iov_len, flags | receive_flags);
}

inline ssize_t receive(handle& through, msghdr& message, int flags, during when)
{
    if (urgent::concerns(through.slot(), flags)) [[unlikely]]
        return receive_past_urgent(through, message, flags, when);
    return ::recvmsg(through.fd(), &message, flags | receive_flags);
}

inline ssize_t send(const handle& through, const iovec& data, int flags) noexcept
{
    return ::send(through.fd(), data.iov_base, data.iov_len, flags | send_flags);
}

inline ssize_t send(const handle& through, const msghdr& message, int flags) noexcept
{
    return ::sendmsg(through.fd(), &message, flags | send_flags);
}

/// The error for the caller of a receive or a send that failed with `error`. `call`: the system call that was made.
error_code failure_of(handle& through, int error, const call_category& call) noexcept;
/// The error for the caller of a receive that got no byte from a stream; none: that is the orderly end.
error_code end_of(handle& through) noexcept;

} // namespace sharedsock::detail::transfer
