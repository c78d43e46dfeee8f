// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/transfer.hpp"

#include "base/stored_error.hpp"
#include "events/connection_state.hpp"

#include <cerrno>

namespace sharedsock::detail::transfer {

ssize_t receive_past_urgent(handle& through, msghdr& message, int flags, during when)
{
    return when == during::delivery ? urgent::receive_in_delivery(through, message, flags | receive_flags)
                                    : urgent::receive(through, message, flags | receive_flags);
}

ssize_t receive_past_urgent(handle& through, const iovec& room, int flags, during when)
{
    msghdr message = message_of(&room, 1);
    return receive_past_urgent(through, message, flags, when);
}

error_code failure_of(handle& through, int error, const call_category& call) noexcept
{
    if (error == EBADF && through.closed()) return through.why_closed(); // another thread has closed it during the call
    return told_error(connection_state::of_error(through.fd(), through.slot(), error), call);
}

error_code end_of(handle& through) noexcept { return told_error(connection_state::of_end(through.fd(), through.slot())); }

} // namespace sharedsock::detail::transfer
