// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/event_object.hpp>
#include <sharedsock/network_event.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/registration.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/socket_address.hpp>
#include <sharedsock/ticket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace sharedsock {

namespace detail {
class handle;
class message_sink;
} // namespace detail

/// A model of Asio's SettableSocketOption (`boost::asio::socket_base::keep_alive` and its like).
template <class Option>
concept settable_socket_option = requires(const Option& option)
{
    option.level(0);
    option.name(0);
    option.data(0);
    option.size(0);
};

/// A model of Asio's GettableSocketOption.
template <class Option>
concept gettable_socket_option = requires(Option& option, std::size_t size)
{
    option.level(0);
    option.name(0);
    option.data(0);
    option.size(0);
    option.resize(0, size);
};

/// One process that holds a socket, or a ticket that waits for it: `shared_socket::handles`.
struct handle_info {
    std::uint64_t id = 0;         ///< `shared_socket::handle_id()`
    process_id process;           ///< the holder, or the process that may redeem the ticket
    bool ticket          = false; ///< a ticket that was not redeemed yet
    bool standing_by     = false; ///< waits for its turn to own the events
    bool accepts_in_turn = false; ///< waits in the accept queue (`turn_acceptor`)
    int descriptor       = -1;    ///< its number in that process; for people
};

/// This process's handle to one socket of a segment.
///
/// All handles to a socket, in all processes, are equal (DUP-1). Everything about the socket is common to them: options,
/// blocking mode, addresses, errors, and the one event registration (STATE-1). Only the descriptor, its close-on-exec
/// flag, the open or closed status and calls in flight belong to a handle (STATE-10). The kernel's socket lives exactly
/// as long as the last handle or live ticket (DUP-12).
///
/// Each fallible operation has two forms: the one with `error_code&` sets it on failure, clears it on success, and
/// changes nothing when it fails unless its rule says otherwise; the other throws `system_error`. If memory runs out, both
/// may throw `std::bad_alloc`, which is a failure like the others; an accept has then closed its connection.
///
/// @par Errors of every operation
/// `errc::closed_handle`: the handle was closed, moved from or never opened. `errc::not_attached`: this is a copy that a raw
/// clone(2) made. `errc::identity_lost`: code of this process closed the segment's descriptors, or opened and closed its lock
/// file, and other processes have swept this one as dead: open the segment anew. `errc::segment_damaged`: the bytes of the segment
/// contradict each other; calls that need none of them go on, above all the data calls (ERR-6): run `sharedsock check`. Kernel
/// failures: their errno.
/// @par Safety
/// Threads: distinct handles are safe; one handle is safe for concurrent I/O and queries, not for concurrent close or
/// move, save that `close` ends blocking calls of other threads on it (DUP-15, DUP-18). Processes: safe. fork(2): the
/// child has a counted handle of its own in each copy; if a stopped process keeps a copy from being counted, its next call counts
/// it, and fails with `errc::lock_timeout` until then. Signal handlers: not callable.
class shared_socket {
public:
    // --- making one -------------------------------------------------------------------------------------------------

    shared_socket() noexcept; ///< refers to nothing
    ~shared_socket();         ///< closes in the background: never blocks, never fails (ERR-4)
    shared_socket(shared_socket&&) noexcept;
    shared_socket& operator=(shared_socket&&) noexcept;

    /// Brings an existing socket under the library's rules and takes its descriptor over. On failure it stays the
    /// caller's. If another process shares the socket in this segment already, this is a handle to the same shared socket,
    /// with the same state (DUP-19). Else the descriptor's blocking mode becomes the common one. The descriptor becomes
    /// close-on-exec; its O_NONBLOCK stays as it is, for its other users (STATE-15).
    /// `errc::not_a_shared_socket`: the descriptor is not a socket. `errc::already_shared`: this process has a handle to it;
    /// redeem a ticket instead. `errc::lock_timeout`: another process is stopped while it adopts; try again.
    static shared_socket adopt(const segment& where, int descriptor, error_code& ec);
    static shared_socket adopt(const segment& where, int descriptor);

    /// socket(2). New sockets are blocking (STATE-3) until a registration or `set_blocking(false)`, unless `type` has
    /// SOCK_NONBLOCK. `errc::socket_table_full`, `errc::handle_table_full`: close sockets, or make a larger segment.
    static shared_socket open(const segment& where, int family, int type, int protocol, error_code& ec);
    static shared_socket open(const segment& where, int family, int type, int protocol = 0);

    /// A stream socket bound to `address` (SO_REUSEADDR set) and listening. Fails as bind(2) and listen(2), and as `open`.
    static shared_socket listen(const segment& where, const socket_address& address, error_code& ec, int backlog = SOMAXCONN);
    static shared_socket listen(const segment& where, const socket_address& address, int backlog = SOMAXCONN);

    /// Redeems a ticket (DUP-2..4, 9). `errc::ticket_wrong_process`, `errc::ticket_foreign_segment`, `errc::ticket_malformed`: the
    /// ticket is not for this process or segment. `errc::ticket_used`, `errc::ticket_descriptor_lost`: ask the source for a new
    /// one. A failure for a local reason (`std::errc::too_many_files_open`, `errc::handle_table_full`) does not consume the
    /// ticket: make room and try again.
    static shared_socket redeem(const segment& where, const ticket& value, error_code& ec);
    static shared_socket redeem(const segment& where, const ticket& value);

    /// A handle to the socket that is published under `name`, from any live holder: directly where ptrace rights allow it, else
    /// from a holder that serves (`segment::poll`). `errc::name_not_published`: publish it first. `errc::no_serving_holder`: no
    /// holder answered within the patience; let one serve.
    static shared_socket open_published(const segment& where, std::string_view name, error_code& ec);
    static shared_socket open_published(const segment& where, std::string_view name);

    // --- the three endings ------------------------------------------------------------------------------------------

    /// Releases this handle only (DUP-11). If it owns the registration, that is cancelled (REG-14). For the last handle
    /// this is the close of the socket, with its close type (DUP-13); `errc::would_linger` (ERR-4): unsent data and a
    /// linger time on a non-blocking socket; the handle stays valid.
    void close(error_code& ec);
    void close();

    /// Ends the connection for all handles in all processes; how: SHUT_RD, SHUT_WR or SHUT_RDWR (STATE-6).
    /// `std::errc::not_connected`: the socket has no connection, or listens and goes on listening (STATE-16).
    void shutdown(int how, error_code& ec);
    void shutdown(int how);

    /// Gives the descriptor back to the caller and ends the handle, as `close` does but leaving the descriptor open. An adopted
    /// one has the O_NONBLOCK and the close-on-exec flag that it had (STATE-15), one that the library made has both set. From
    /// then on the library does not account for it (DUP-17). Errors as `close`.
    int release(error_code& ec);
    int release();

    // --- its holders ------------------------------------------------------------------------------------------------

    bool is_open() const noexcept;
    int native_handle() const noexcept;       ///< the descriptor; -1 when closed. Do not close it.
    std::uint64_t id() const noexcept;        ///< of the socket: equal for all its handles, never used again
    std::uint64_t handle_id() const noexcept; ///< of this handle, unique in the segment for ever
    segment where() const;                    ///< the attachment it was made through

    /// Every handle and live ticket of the socket, in all processes. If a stopped process holds the slot's lock, the list may be a
    /// moment old.
    /// @par Errors
    /// `errc::closed_handle`, `errc::identity_lost`, `errc::not_attached`: this process cannot tell.
    std::vector<handle_info> handles(error_code& ec) const;
    std::vector<handle_info> handles() const;

    // --- duplication (DUP) ------------------------------------------------------------------------------------------

    /// Makes a ticket for one attached process, this one included (WSADuplicateSocket). The descriptor lies in the target's mailbox
    /// when the call returns. `errc::target_gone`: choose another. `errc::handle_table_full`: close handles, or revoke tickets.
    /// `errc::mailbox_full`: the target is slow; try again later.
    ticket duplicate(process_id target, error_code& ec) const;
    ticket duplicate(process_id target) const;

    /// Makes a ticket for the process that has `pid` in this pid namespace, attached or not, whatever program it executes before it
    /// redeems the ticket (DUP-3). If it is attached, the descriptor lies in its mailbox as with `duplicate`. If it is not, is
    /// attached several times, or executes another program, it gets the descriptor from this process: then this process must live
    /// until then, and serve or be open to ptrace. The target may live in a child of this pid namespace. Errors as
    /// `duplicate`, and: `errc::target_gone`: no process has this pid. `std::errc::permission_denied` and other errors of the
    /// kernel: /proc does not say which process has that pid; let it attach first.
    ticket duplicate_for_pid(std::int32_t pid, error_code& ec) const;
    ticket duplicate_for_pid(std::int32_t pid) const;

    // --- the socket calls -------------------------------------------------------------------------------------------

    /// bind(2) and listen(2); they fail as those.
    void bind(const socket_address& address, error_code& ec);
    void bind(const socket_address& address);
    void listen(int backlog, error_code& ec);
    void listen(int backlog = SOMAXCONN);

    /// connect(2) with one attempt common to all handles (STATE-5): `std::errc::operation_would_block` when a non-blocking
    /// attempt is under way (ERR-5), `…connection_already_in_progress`, `…already_connected`.
    void connect(const socket_address& address, error_code& ec);
    void connect(const socket_address& address);

    /// accept4(2). The new socket gets a slot of its own and the listener's properties (STATE-13); if this handle's process
    /// owns the listener's registration, the new socket gets that as well (REG-15). `errc::socket_table_full`,
    /// `errc::handle_table_full`: the table had no room for it, and the connection is closed.
    shared_socket accept(error_code& ec, socket_address* peer = nullptr);
    shared_socket accept(socket_address* peer = nullptr);

    // The data calls. Return the count of bytes; flags as in send(2) and recv(2); SIGPIPE is never raised (ERR-5). When the
    // common mode is blocking they wait (as long as SO_RCVTIMEO and SO_SNDTIMEO say), else they fail with
    // `std::errc::operation_would_block`. A blocking send on a stream takes all bytes. If a call fails after its first bytes, it
    // returns their count and the next call fails. An error that ended the connection is returned for ever, through every handle
    // (STATE-9); 0 from a stream is the orderly end. An unread urgent byte survives ordinary receives of all processes and
    // stays for MSG_OOB (EVT-14), once any process has nominated OOB or received with MSG_OOB; receives cost more from then on.
    std::size_t send(std::span<const std::byte> data, int flags, error_code& ec);
    std::size_t send(std::span<const std::byte> data, int flags = 0);
    std::size_t send(std::string_view text, int flags = 0);
    std::size_t receive(std::span<std::byte> room, int flags, error_code& ec);
    std::size_t receive(std::span<std::byte> room, int flags = 0);
    std::size_t send(std::span<const iovec> pieces, int flags, error_code& ec);
    std::size_t receive(std::span<const iovec> pieces, int flags, error_code& ec);
    std::size_t send_to(std::span<const std::byte> data, const socket_address& to, int flags, error_code& ec);
    std::size_t send_to(std::span<const std::byte> data, const socket_address& to, int flags = 0);
    std::size_t receive_from(std::span<std::byte> room, socket_address& from, int flags, error_code& ec);
    std::size_t receive_from(std::span<std::byte> room, socket_address& from, int flags = 0);
    std::size_t send_message(const msghdr& message, int flags, error_code& ec);
    std::size_t receive_message(msghdr& message, int flags, error_code& ec);

    // --- common state -----------------------------------------------------------------------------------------------

    /// getsockname(2) and getpeername(2); they fail as those.
    socket_address local_address(error_code& ec) const;
    socket_address local_address() const;
    socket_address peer_address(error_code& ec) const;
    socket_address peer_address() const;

    /// The common blocking mode (STATE-3). The descriptor itself is always non-blocking; blocking calls are made by waiting.
    bool blocking() const;
    /// `errc::blocking_while_registered` for true under a registration (REG-13).
    void set_blocking(bool on, error_code& ec);
    void set_blocking(bool on);

    /// Common to all handles, for the kernel keeps options with the socket (STATE-2). SO_ERROR is read-and-clear for all
    /// handles together (STATE-8).
    void set_option(int level, int name, const void* value, std::size_t size, error_code& ec);
    std::size_t get_option(int level, int name, void* value, std::size_t size, error_code& ec) const;
    template <settable_socket_option Option>
    void set_option(const Option& option, error_code& ec)
    {
        const int family = this->family();
        set_option(option.level(family_tag{family}), option.name(family_tag{family}), option.data(family_tag{family}),
                   option.size(family_tag{family}), ec);
    }
    template <settable_socket_option Option>
    void set_option(const Option& option)
    {
        error_code ec;
        set_option(option, ec);
        detail::throw_if(ec, "sharedsock::shared_socket::set_option");
    }
    template <gettable_socket_option Option>
    void get_option(Option& option, error_code& ec) const
    {
        const family_tag tag{family()};
        const std::size_t size = get_option(option.level(tag), option.name(tag), option.data(tag), option.size(tag), ec);
        if (!ec) option.resize(tag, size);
    }
    template <gettable_socket_option Option>
    void get_option(Option& option) const
    {
        error_code ec;
        get_option(option, ec);
        detail::throw_if(ec, "sharedsock::shared_socket::get_option");
    }

    /// SO_ERROR: the pending error, which is cleared for all handles (STATE-8). Zero if there is none.
    error_code take_error();

    int family() const noexcept;   ///< AF_…
    int type() const noexcept;     ///< SOCK_…
    int protocol() const noexcept; ///< IPPROTO_…

    // --- the event registration (REG) -------------------------------------------------------------------------------

    /// Makes `ready` the sink of the network events in `mask`, and this handle the owner of the socket's one registration.
    ///
    /// Every other registration of the socket, through any handle in any process, is cancelled (REG-2), and when the call returns
    /// its owner delivers nothing more (G2). Conditions that hold already are recorded before the call returns (REG-7). The socket
    /// becomes non-blocking for all (REG-12). Mask none cancels and ignores `ready` (REG-5).
    ///
    /// @param ready  an event object of this process; its destruction ends the registration (REG-20).
    /// @par Errors
    /// `errc::fence_pending`: registered, but the old owner is stopped in the middle of a delivery; nothing is delivered to this
    /// handle before that ends, see `fence`. `errc::bad_event_mask`, `errc::bad_event_object`: nothing changed (REG-19).
    /// @see WSAEventSelect; semantics REG-1..20; epoll_ctl(2).
    void event_select(event_object& ready, network_event mask, const select_options& options, error_code& ec);
    void event_select(event_object& ready, network_event mask, const select_options& options = {});

    /// Waits for the delivery of the former owner to end, after `errc::fence_pending`. True when it has.
    bool fence(std::chrono::nanoseconds limit, error_code& ec);

    /// Cancels the socket's registration, through whichever handle it was made (REG-5). The first in the standby queue owns it
    /// next.
    void cancel_registration(error_code& ec);
    void cancel_registration();

    /// Waits in the standby queue to own the events: this handle becomes the owner, with `ready` and `mask`, when the owner
    /// cancels, closes, passes the registration on or dies, and the handles before it in the queue have had their turn; at once if
    /// there is no owner. An `event_select` through any handle still takes the registration over. A second call replaces the first;
    /// mask none leaves the queue. If this handle owns the events already, with this event object, nothing changes; with another
    /// sink, `ready` takes its place at once. Errors as `event_select`.
    ///
    /// A handle that takes turns enumerates only the events that its own turn has recorded. In another handle's turn it finds
    /// nothing, so a program that wakes late, for a signal of a turn that has ended, takes no event from its successor (unlike
    /// ENUM-7).
    void stand_by(event_object& ready, network_event mask, const select_options& options, error_code& ec);
    void stand_by(event_object& ready, network_event mask, const select_options& options = {});

    /// Passes the registration on to the first in the standby queue and, if there is one, joins the end of the queue. False if no
    /// handle stands by. Then, and after an error, nothing has changed, the record and pending operations included.
    /// `errc::not_the_owner`: this handle has nothing to pass on. `errc::lock_timeout`: call again later.
    bool pass_on(error_code& ec);
    bool pass_on();

    /// Asks for one event at the next change of this host's routes or addresses (EVT-25; Winsock's SIO_ROUTING_INTERFACE_CHANGE and
    /// SIO_ADDRESS_LIST_CHANGE): the first change after the call is recorded for, or posted to, the owner of the registration, if
    /// that nominates `which`; then nothing more until the next request, through any handle. Requests stay open until a change
    /// answers them. One event answers all requests that are open.
    ///
    /// Any route of the socket's address family counts, and any address, in the network namespace of the owner's process; only
    /// changes that come while such a registration exists. A change just before the call may count if another process owns it.
    ///
    /// @param which  `network_event::routing_interface_change`, `network_event::address_list_change`, or both.
    /// @par Errors
    /// `errc::bad_event_mask`: another event. `std::errc::operation_not_supported`: the socket is neither of IPv4 nor of IPv6, or
    /// rtnetlink(7) is not available here.
    /// @par Safety
    /// As every operation of this class; never blocks.
    void request_change(network_event which, error_code& ec);
    void request_change(network_event which);

    /// Collects and clears the record: the events since the last call, of the registration of any process (ENUM-1, ENUM-7). If
    /// `ready` is given it is reset in the same step (ENUM-2), unless it serves other sockets too and one of them has an event that
    /// was not collected: then it stays signalled (ENUM-3), and a program that has collected from every socket of the object
    /// finds it reset. `errc::bad_event_object` (ENUM-4): nothing changed.
    ///
    /// A handle that asked to be told of a loss (`select_options::tell_loss`) and has lost takes nothing from the new owner:
    /// neither in the call that returns `lost` nor later, until it registers anew or cancels (ENUM-10).
    network_events enum_network_events(event_object* ready, error_code& ec);
    network_events enum_network_events(event_object& ready);
    network_events enum_network_events();

    /// The current owner of the events, for any handle (REG-10); nothing if there is none.
    std::optional<registration_info> registration() const;

    const std::shared_ptr<detail::handle>& impl() const noexcept { return impl_; } ///< for the library itself
    explicit shared_socket(std::shared_ptr<detail::handle> impl) noexcept;

private:
    struct family_tag { // the protocol, as Asio's options use it
        int value;
        int family() const noexcept { return value; }
    };

    std::shared_ptr<detail::handle> impl_;
};

} // namespace sharedsock
