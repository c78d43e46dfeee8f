// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/arrivals.hpp"
#include "attach/attachment.hpp"
#include "attach/handle_locks.hpp"
#include "base/graveyard.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include <sys/socket.h>

namespace sharedsock::detail {

/// A handle's registration in this process, as the floors below the events see it. `local_registration` is the only implementation.
class handle_registration : public buriable {
public:
    virtual void on_bell()               = 0; ///< a process took over, re-enabled, ended a delivery or passed on
    virtual std::uint32_t end() noexcept = 0; ///< the handle ends; returns the epoch under which it owned the events, or 0
    virtual void lose_identity()         = 0; ///< another process has swept this one

protected:
    ~handle_registration() = default;
};

/// One open handle: a descriptor, and the handle record that counts it. A `shared_socket` points to it. Of the socket's state it
/// caches only the parts that never change (family, type, protocol); the slot or the kernel has the rest.
class handle final : public std::enable_shared_from_this<handle> {
public:
    /// The record and the slot exist already; the handle takes the descriptor over and enlists itself. If memory runs out it
    /// throws: then the record is freed, and the caller still owns the descriptor.
    /// `self`: the member that the caller acts through; not looked up again, for it may be gone by now (`identity_lost`).
    static std::shared_ptr<handle> make(const std::shared_ptr<attachment>& where, membership& self, const socket_and_handle& which,
                                        unique_fd&& descriptor);

    // Making a handle in two steps, for a caller that must not fail once it has taken a record.

    /// The first step allocates all memory: a closed handle to an existing socket, enlisted. The caller holds no lock of the
    /// attachment.
    static std::shared_ptr<handle> reserve(const std::shared_ptr<attachment>& where, membership& self, record_id socket);
    /// The second step opens the handle, which then owns the record and the descriptor. @pre it was reserved for the socket of
    /// `record`.
    void open(record_id record, unique_fd&& descriptor) noexcept;
    ~handle(); ///< ends in the background if still open
    handle(const handle&)            = delete;
    handle& operator=(const handle&) = delete;

    attachment& where() const noexcept { return *where_; }
    const std::shared_ptr<attachment>& where_ptr() const noexcept { return where_; }
    socket_slot& slot() const noexcept { return *slot_; }
    record_id socket() const noexcept { return which_.socket; }
    const socket_and_handle& which() const noexcept { return which_; }
    int fd() const noexcept { return descriptor_.get(); }
    std::uint64_t cookie() const noexcept { return cookie_; } ///< SO_COOKIE of its socket
    int family() const noexcept { return family_; }
    int type() const noexcept { return type_; }
    int protocol() const noexcept { return protocol_; }
    bool stream() const noexcept { return type_ == SOCK_STREAM || type_ == SOCK_SEQPACKET; } ///< connection-oriented
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

    /// The member to act through, by `attachment::member`; fails with `errc::closed_handle`, `errc::segment_damaged`, or an error
    /// of that function.
    membership* member(error_code& ec) const noexcept;
    /// The member to act through, by `attachment::recent_member`; the errors are those of `member`.
    membership* recent_member(error_code& ec) const noexcept;
    /// `release` gives the descriptor back without close-on-exec, as it was when it was adopted.
    void release_inheritable() noexcept { inheritable_ = true; }
    /// Why calls fail when the handle is closed.
    error_code why_closed() const noexcept;
    /// In a forked child: counts a handle that could not be counted in the fork, if the reason may have passed. The handle is open
    /// then; else null, and `ec` says why. The caller holds no lock of an attachment, a handle or a local registration.
    handle* count_late(error_code& ec) noexcept;
    /// Another process has swept this one, which does not own the record any more. Reports the loss of a registration, and ends
    /// blocked calls; all later calls fail. The descriptor stays until the object is destroyed: other threads may be using it.
    void lose_record();

    enum class ending {
        close,      ///< the close of a blocking socket's last handle waits for its linger time (DUP-13)
        background, ///< for a destructor: never waits, unsent data is sent in the background (ERR-4)
        release,    ///< returns the descriptor to the caller
    };
    /// Ends the handle: first the calls of this process that wait in it (DUP-18), then its registration, its record, and last the
    /// descriptor. If a stopped process holds the slot's lock, the record is freed later. `errc::closed_handle`: it has ended.
    int end(ending how, error_code& ec) noexcept;

    // --- blocking calls (DUP-18, STATE-3) ---------------------------------------------------------------------------

    /// Waits until poll(2) shows one of `events` on the descriptor; `operation_would_block` when `until` comes first, and
    /// `operation_canceled` when another thread of this process ends the handle.
    void wait(short events, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec);
    /// As `wait` for POLLIN, and may return early. `since` is of the call that waits: for all its waits.
    void wait_for_arrival(arrivals& since, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec);

    // --- events -----------------------------------------------------------------------------------------------------

    /// The registration of this handle: it owns the events, stands by, or has lost them. Null: there was none.
    std::shared_ptr<handle_registration> registration() const;
    void set_registration(std::shared_ptr<handle_registration> now);
    /// Ends the registration, before the descriptor is closed. Returns the epoch under which it owned the events, or 0.
    std::uint32_t end_registration() noexcept;
    /// Looks at the socket again: a process, perhaps this one, has changed its registration.
    void on_bell();

    // --- fork, called by the attachment -----------------------------------------------------------------------------

    /// In a forked child: `child` counts the handle with a new record. If `child` is null, `ec` says why the child is no member. On
    /// error the handle is closed and not counted, and keeps its descriptor, which may be in a reactor. Its next call tries again
    /// (`count_late`), or fails with that error if the reason lasts.
    /// `told`: the same for all handles of the fork.
    void adopt_after_fork(membership* child, told_processes& told, graveyard& dead, error_code& ec) noexcept;

    handle_links<handle> links; ///< for the attachment's index alone, with its mutex held

private:
    handle(std::shared_ptr<attachment> where, record_id socket, socket_slot& slot);
    void prove_descriptor() noexcept;
    int given_back() noexcept;
    void cancel_blocked_calls() noexcept;
    void wait_on(int descriptor, short events, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec);

    const std::shared_ptr<attachment> where_;
    socket_and_handle which_; // constant once it has opened, but for fork
    socket_slot* const slot_;
    unique_fd descriptor_;
    const std::uint64_t cookie_; // SO_COOKIE of the socket behind descriptor_
    const int family_;
    const int type_;
    const int protocol_;
    std::atomic<bool> closed_{true};
    bool inheritable_ = false; // constant once it has opened

    handle_locks::mutex& mutex_;            // of the attachment, which takes it around fork(2); guards all below
    error_code uncounted_;                  // why this process could not count the handle after a fork
    unique_fd cancel_;                      // eventfd that wakes blocked calls; the first of them makes it
    std::atomic<std::uint32_t> blocked_{0}; // calls that wait; `end` waits for them to leave. Changed with the mutex held
    std::shared_ptr<handle_registration> registration_;
};

/// The handle to act through, or null and the reason: `errc::closed_handle`, or that of the handle. Never clears `ec`: the data
/// calls do not need it.
inline handle* opened(const std::shared_ptr<handle>& impl, error_code& ec) noexcept
{
    if (impl != nullptr && !impl->closed()) [[likely]]
        return impl.get();
    if (impl != nullptr) return impl->count_late(ec);
    ec = errc::closed_handle;
    return nullptr;
}

/// The same, at the beginning of any other call: clears `ec` first.
inline handle* checked(const std::shared_ptr<handle>& impl, error_code& ec) noexcept
{
    ec.clear();
    return opened(impl, ec);
}

} // namespace sharedsock::detail
