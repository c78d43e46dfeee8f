// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The calls that an I/O object makes for its operations, inside deliveries, and for the synchronous calls.
#include "asio/io_object.hpp"
#include "attach/arrivals.hpp"
#include "events/transfer.hpp"
#include "socket/in_delivery.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

bool receives(const io_operation& operation) noexcept { return operation.what == io_operation::kind::receive; }

// One try of an operation that is more than one piece of memory.
[[gnu::noinline]] ssize_t transfer_message(io_operation& operation, handle& through, transfer::during when)
{
    if (operation.piece_count == 0 && through.stream()) return 0; // done at once, as in Asio
    msghdr message = transfer::message_of(operation.pieces, operation.piece_count);
    if (operation.address) {
        message.msg_name    = operation.address->data();
        message.msg_namelen = receives(operation) ? socket_address::capacity() : operation.address->size();
    }
    if (!receives(operation)) return transfer::send(through, message, operation.flags);
    const ssize_t got = transfer::receive(through, message, operation.flags, when);
    if (operation.address && got >= 0) operation.address->resize(std::min(message.msg_namelen, socket_address::capacity()));
    return got;
}

ssize_t transfer_once(io_operation& operation, handle& through, transfer::during when)
{
    if (operation.piece_count != 1 || operation.address) [[unlikely]]
        return transfer_message(operation, through, when);
    return receives(operation) ? transfer::receive(through, *operation.pieces, operation.flags, when)
                               : transfer::send(through, *operation.pieces, operation.flags);
}

// The system call that `transfer_once` makes.
const call_category& call_of(const io_operation& operation) noexcept
{
    const bool simple = operation.piece_count == 1 && !operation.address;
    if (receives(operation)) return simple ? sys<"recvfrom"> : sys<"recvmsg">;
    return simple ? sys<"sendto"> : sys<"sendmsg">;
}

// No byte was transferred; `error`: that of the call, or 0.
[[gnu::cold, gnu::noinline]] void tell_end(io_operation& operation, handle& through, int error)
{
    if (error != 0) {
        operation.ec = transfer::failure_of(through, error, call_of(operation));
    } else if (receives(operation) && through.stream() && operation.piece_count != 0) {
        operation.ec = transfer::end_of(through);
        if (!operation.ec) operation.ec = boost::asio::error::eof;
    }
}

// One try to receive or to send. No event of the registration waits for it, for its owner makes it: so nothing is re-enabled.
bool try_transfer(io_operation& operation, handle& through, transfer::during when) noexcept
try {
    for (;;) {
        const ssize_t done = transfer_once(operation, through, when);
        if (done > 0) [[likely]] {
            operation.bytes = static_cast<std::size_t>(done);
            return true;
        }
        const int error = done < 0 ? errno : 0;
        if (error == EAGAIN) return false;
        if (error == EINTR) continue;
        tell_end(operation, through, error);
        return true;
    }
} catch (const std::bad_alloc&) { // on the way past urgent data
    operation.ec = make_error_code(boost::system::errc::not_enough_memory);
    return true;
}

} // namespace

bool io_object::perform(io_operation& operation) noexcept
{
    if (line_) [[unlikely]]
        return perform_in_turn(operation);
    const std::uint64_t idle = gate_.load(std::memory_order_relaxed);
    const std::uint64_t busy = busy_.load(std::memory_order_relaxed);
    std::uint64_t seen       = idle;
    if (idle == 0 || !slot_->registration.compare_exchange_strong(seen, busy))
        return false; // this process does not own it any more: the doorbell will tell
    const bool transfers = operation.what == io_operation::kind::receive || operation.what == io_operation::kind::send;
    const bool done      = transfers ? try_transfer(operation, *socket_.impl(), transfer::during::delivery) : attempt(operation);
    seen                 = busy;
    if (!slot_->registration.compare_exchange_strong(seen, idle)) [[unlikely]] { // another handle took over meanwhile
        const handle& through = *socket_.impl();
        if (membership* const self = through.where().member())
            self->finish(*slot_, through.socket().index, registration_word::decode(idle).epoch, 0);
    }
    return done;
}

bool io_object::perform_in_turn(io_operation& operation) noexcept
try {
    handle& through = *socket_.impl();
    if (operation.what == io_operation::kind::wait_read) {
        pollfd asked{through.fd(), POLLIN, 0};
        return ::poll(&asked, 1, 0) != 0;
    }
    const bool woken = std::exchange(operation.begun_, true);
    if (!woken && line_->is_reported()) return false; // if a connection waits, epoll tells the next acceptor
    do {
        operation.accepted = line_->accept(through, woken, operation.ec);
    } while (operation.ec == boost::system::errc::connection_aborted); // it came and went
    return operation.ec != boost::system::errc::operation_would_block;
} catch (const std::bad_alloc&) {
    operation.ec = make_error_code(boost::system::errc::not_enough_memory);
    return true;
}

bool io_object::attempt(io_operation& operation) noexcept
try {
    switch (operation.what) {
    case io_operation::kind::receive:
    case io_operation::kind::send:
        return try_transfer(operation, *socket_.impl(), transfer::during::call); // called by `perform_now`
    case io_operation::kind::accept:
    case io_operation::kind::connect:
        break;
    default:
        return true;
    }
    handle& through        = *socket_.impl();
    membership* const self = through.where().member();
    if (self == nullptr) {
        operation.ec = through.why_closed();
        return true;
    }
    if (operation.what == io_operation::kind::connect) {
        connect_in_delivery(through, *self, *operation.address, std::exchange(operation.begun_, true), operation.ec);
    } else {
        do {
            operation.accepted = accept_in_delivery(through, *self, operation.ec);
        } while (operation.ec == boost::system::errc::connection_aborted); // it came and went
    }
    return operation.ec != boost::system::errc::operation_would_block;
} catch (const std::bad_alloc&) {
    operation.ec = make_error_code(boost::system::errc::not_enough_memory);
    return true;
}

// A synchronous call of the user, under no registration: it waits as a blocking call does, in either common mode.
void io_object::perform_now(io_operation::kind what, const iovec* pieces, std::size_t count, int flags, socket_address* address,
                            std::size_t& bytes, error_code& ec)
{
    struct call final : io_operation {
        explicit call(kind of_what) noexcept : io_operation(of_what) {}
        void finish(bool) override {}
    } now(what);
    now.pieces      = pieces;
    now.piece_count = count;
    now.flags       = flags;
    if (address != nullptr) now.address = *address;
    handle* const through  = socket_.impl().get();
    membership* const self = through != nullptr ? through->recent_member(ec) : nullptr;
    if (through == nullptr) ec = errc::closed_handle;
    if (self == nullptr) return;
    const bool writes =
        what == io_operation::kind::send || what == io_operation::kind::connect || what == io_operation::kind::wait_write;
    const bool waits_only = what == io_operation::kind::wait_read || what == io_operation::kind::wait_write;
    if (waits_only) through->wait(writes ? POLLOUT : POLLIN, {}, now.ec);
    arrivals arrived;
    while (!attempt(now) && !ec) {
        if (writes)
            through->wait(POLLOUT, {}, ec);
        else
            through->wait_for_arrival(arrived, {}, ec);
    }
    if (!ec) ec = now.ec;
    bytes = now.bytes;
    if (now.address) *address = *now.address;
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
