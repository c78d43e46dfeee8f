// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/arrivals.hpp"
#include "attach/handle.hpp"

#include <chrono>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace sharedsock::detail {

/// The wait of a call on a socket whose common mode is blocking; the descriptors themselves never block (STATE-3). Such a call
/// reads the mode before every wait: a registration that comes meanwhile turns it into a non-blocking call.
class patient_call {
public:
    /// `timeout_option`: SO_RCVTIMEO or SO_SNDTIMEO, whichever limits such a call.
    patient_call(handle& through, int timeout_option) noexcept : handle_(through), option_(timeout_option) {}

    bool may_wait() const noexcept { return (handle_.slot().flags.load() & flag_blocking) != 0; }

    /// As `handle::wait`, or for POLLIN as `handle::wait_for_arrival`; the socket's timeout counts from the first wait.
    void wait(short events, error_code& ec)
    {
        if (!asked_) {
            asked_ = true;
            timeval limit{};
            socklen_t size = sizeof limit;
            const bool limited =
                ::getsockopt(handle_.fd(), SOL_SOCKET, option_, &limit, &size) == 0 && (limit.tv_sec != 0 || limit.tv_usec != 0);
            if (limited)
                until_ = std::chrono::steady_clock::now() + std::chrono::seconds(limit.tv_sec) +
                         std::chrono::microseconds(limit.tv_usec);
        }
        if (events == POLLIN)
            handle_.wait_for_arrival(arrivals_, until_, ec);
        else
            handle_.wait(events, until_, ec);
    }

private:
    handle& handle_;
    const int option_;
    bool asked_ = false;
    arrivals arrivals_;
    std::optional<std::chrono::steady_clock::time_point> until_;
};

/// Whether the descriptor was adopted, and was found blocking (STATE-15). Programs that do not know the library may use it as well.
inline bool is_lent(const handle& of) noexcept { return (of.slot().flags.load() & flag_lent) != 0; }

/// Sets O_NONBLOCK. The result is the flags before, -1 if they are not to be had.
inline int make_nonblocking(int descriptor) noexcept
{
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags != -1 && (flags & O_NONBLOCK) == 0) ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

/// O_NONBLOCK for a call that has no MSG_DONTWAIT. The flag belongs to all copies of the descriptor: another process may have
/// cleared it. On a lent descriptor it is set for the length of the call only, so that it outlives no process; there the caller
/// holds the slot's lock, or another process's call would end before this one and clear it.
class nonblocking_call {
public:
    explicit nonblocking_call(const handle& through) noexcept
        : descriptor_(through.fd()), lent_(is_lent(through)), flags_(make_nonblocking(descriptor_))
    {}
    ~nonblocking_call()
    {
        if (lent_ && flags_ != -1) ::fcntl(descriptor_, F_SETFL, flags_ & ~O_NONBLOCK);
    }
    nonblocking_call(const nonblocking_call&)            = delete;
    nonblocking_call& operator=(const nonblocking_call&) = delete;

private:
    const int descriptor_;
    const bool lent_;
    const int flags_;
};

} // namespace sharedsock::detail
