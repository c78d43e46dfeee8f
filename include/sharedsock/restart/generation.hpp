// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/hand_over.hpp>
#include <sharedsock/restart/descriptor.hpp>
#include <sharedsock/restart/event.hpp>
#include <sharedsock/restart/options.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/socket_address.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace sharedsock {
namespace systemd {
class passed_descriptors;
}

namespace restart {
namespace detail {
class generation_impl;
}

/// This process as one generation of a service, whose program is replaced by its next version under its clients (G14).
///
/// The program text is the same for the first generation and for each later one:
///
///     auto service  = restart::generation::join("web");       // the first one, or the successor of the one that serves
///     auto listener = service.listen("http", address);        // the predecessor's, systemd's, or a new one
///     ...                                                      // read the configuration, fill the caches: nothing has changed yet
///     service.ready();                                         // accept from here on
///     // in the loop, when native_handle() is readable:
///     while (auto happened = service.poll()) ...               // offered: take. successor_ready: accept no more, give all, finish
///
/// To upgrade, start the new program by any means; it joins. Until it is `ready`, nothing has changed for this generation, whatever
/// becomes of the other. From then on this one gives its connections, with the bytes that it has read. Each is this process's until
/// the successor has taken it, and comes back (`event::returned`) if the successor dies, hangs, or declines: exactly one of the two
/// has it at every instant, also if either is killed (G13). A connection is lost only with a process that is killed while it has
/// it. If the predecessor is killed in the middle, the successor has what was given, and serves.
///
/// The two speak a protocol of their own, with versions: their builds may differ in everything else, also in the layout of
/// segments.
///
/// @par Errors
/// Each call has two forms; the one without `ec` throws `system_error`. `errc::generation_ended`: the service is another process's
/// (`event::replaced`, `event::dismissed`), or this is a forked child.
/// @par Safety
/// Threads: one at a time. fork(2): it belongs to the process that made it; in a child each call fails, and the child's copies of
/// the lock and of the connection are closed by the fork hook. Signal handlers: not callable. It has no thread, acts only inside
/// its calls, and none but `join` waits.
class generation {
public:
    generation() noexcept; ///< of no service
    generation(generation&&) noexcept;
    generation& operator=(generation&&) noexcept;
    /// The end of the service, unless a successor has it: then its directory is removed. A successor that was not `ready` gives up.
    /// Gifts without an answer stay with whichever process has them: `finish`, and wait for `event::replaced`, before.
    ~generation();

    /// Becomes the first generation of the service, or the successor of the one that serves. Waits for the answer of that one,
    /// which must poll, up to `options::patience`. Takes what the service manager has passed
    /// (`systemd::passed_descriptors::receive`), so call it before other threads exist. `name`: as a segment's.
    ///
    /// `errc::upgrade_under_way`: a third generation; `errc::generation_silent`: the one that serves hangs or does not poll;
    /// `errc::other_restart_protocol`, `errc::upgrade_refused`, `errc::foreign_service`, `errc::bad_service_name`:
    /// `describe_failure` names the service, the process and the reason. `errc::bad_manager_variable`. Else the errors of the
    /// system calls.
    static generation join(std::string_view name, const options& how, error_code& ec);
    static generation join(std::string_view name, const options& how = {});

    bool is_successor() const noexcept; ///< it has, or had, a predecessor
    bool serves() const noexcept;       ///< it is the generation that lets the next one in
    about_generation predecessor() const;
    about_generation successor() const; ///< the one that joined last

    // --- listeners --------------------------------------------------------------------------------------------------

    /// A listening stream socket: the predecessor's of that name; else the one that the service manager passed or kept under that
    /// name, or for that address; else a new one. It is non-blocking and the caller's; the next generation gets a duplicate. If the
    /// predecessor had asked for another address under that name, the configuration has changed, and a new one is bound. Fails as
    /// socket(2), bind(2) and listen(2).
    descriptor listen(std::string_view name, const socket_address& address, error_code& ec, int backlog = SOMAXCONN);
    descriptor listen(std::string_view name, const socket_address& address, int backlog = SOMAXCONN);
    /// The same, as a shared socket of the segment. Fails as `shared_socket::adopt` too.
    shared_socket listen(const segment& where, std::string_view name, const socket_address& address, error_code& ec,
                         int backlog = SOMAXCONN);
    shared_socket listen(const segment& where, std::string_view name, const socket_address& address, int backlog = SOMAXCONN);

    /// Any other descriptor that lasts as long as the service (a UDP socket, a lock, a memory): the one that came from the
    /// predecessor or the service manager under that name, or none.
    descriptor inherit(std::string_view name, error_code& ec);
    descriptor inherit(std::string_view name);
    /// From now on each next generation gets a duplicate of it under that name.
    void keep(std::string_view name, int number, error_code& ec);
    void keep(std::string_view name, int number);
    /// The next generation does not get what has this name.
    void forget(std::string_view name) noexcept;
    /// The names that the predecessor had and this generation has not asked for. Each is closed when this generation serves.
    std::vector<std::string> unclaimed() const;
    /// The descriptors that the service manager passed or kept, and `listen` has not taken:
    /// `systemd::take_kept_connections(service.passed())`.
    systemd::passed_descriptors& passed() noexcept;

    // --- the upgrade ------------------------------------------------------------------------------------------------

    /// This generation accepts, and takes connections. Has its effect once. It tells of no failure: `event::dismissed` does.
    void ready(error_code& ec);
    void ready();

    /// Readable when `poll` has something to do. Constant; do not read from it or close it.
    int native_handle() const noexcept;
    /// Does what is due, and returns what has happened, one event at a time; call it until there is none. Never blocks. An error,
    /// and std::bad_alloc: the event stays, call again.
    std::optional<event> poll(error_code& ec);
    std::optional<event> poll();

    /// As predecessor, after `event::successor_ready`: gives a connection away with what was read from it. On success this object
    /// owns the descriptor, until `event::given` or `event::returned` names the number that is the result. Take it out of every
    /// epoll before: the kernel's entry outlives this process's descriptor. Gifts arrive in the order in which they were given.
    ///
    /// Fails and changes nothing: `std::errc::operation_would_block`: `options::window` gifts have no answer yet; give the rest
    /// after the next `event::given` (`can_give`). `errc::no_successor`, `errc::carry_too_large`, and the errors of
    /// memfd_create(2).
    std::uint64_t give(int connection, const carry& with, error_code& ec);
    std::uint64_t give(int connection, const carry& with = {});
    /// The same for a shared socket: its handle ends as with `shared_socket::release`, and it comes back, if it does, as a
    /// descriptor to `adopt`. It fails as that, too.
    std::uint64_t give(shared_socket&& connection, const carry& with, error_code& ec);
    std::uint64_t give(shared_socket&& connection, const carry& with = {});
    bool can_give(std::size_t bytes = 0) const noexcept; ///< whether `give` has room for a carry of so many bytes
    std::size_t unanswered() const noexcept;             ///< gifts that the successor has neither taken nor declined

    /// As predecessor: there is nothing more to give. When all is answered, `event::replaced` comes. `errc::no_successor`.
    void finish(error_code& ec);
    void finish();
    /// As predecessor: takes the service back from a successor that joined, whether it is ready or not. The gifts that it has not
    /// taken come back, then `event::successor_failed`; `reason` is for both logs. `errc::no_successor`: there is none.
    void dismiss(std::string_view reason, error_code& ec);
    void dismiss(std::string_view reason);
    /// The gifts of this upgrade, or of the last one, that came back: with `event::replaced`, what could not be given.
    std::vector<left_behind> left() const;

    /// As successor, for `event::offered`: takes the connection. From the return on, and not before, it may be read and written.
    /// `std::errc::operation_would_block`: it cannot be said yet whose it is; `event::offered` comes again, or `event::dismissed`.
    /// `errc::upgrade_dismissed`: it is the predecessor's. `errc::no_such_gift`; the errors of pread(2): it is still offered.
    connection take(std::uint64_t gift, error_code& ec);
    connection take(std::uint64_t gift);
    /// Leaves it to the predecessor, with a reason for its log: a tag that is not known, for example. If the predecessor has ended,
    /// the connection closes.
    void decline(std::uint64_t gift, std::string_view reason, error_code& ec);
    void decline(std::uint64_t gift, std::string_view reason);

private:
    explicit generation(std::unique_ptr<detail::generation_impl> impl) noexcept;
    std::unique_ptr<detail::generation_impl> impl_;
};

} // namespace restart
} // namespace sharedsock
