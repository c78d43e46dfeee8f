// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "asio/context_job.hpp"
#include "asio/pending_operation.hpp"
#include "asio/reactor_line.hpp"
#include "asio/reactor_service.hpp"
#include "base/ranked_mutex.hpp"
#include "events/sinks.hpp"
#include "layout/layout.hpp"
#include "layout/registration_word.hpp"

#include <sharedsock/asio/detail/io_operation.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <sys/uio.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// A shared socket on an executor: it runs the operations of `basic_stream`, `basic_datagram` and `basic_acceptor`. Its descriptor
/// is in Asio's reactor, which calls `perform` when it may be ready; every call on the socket is made inside a delivery of the
/// registration (G2).
///
///     start --(the gate is open)------------------------------> reactor: perform at every edge --(done)--> completion
///       \--(not owner: register; the former owner's delivery is not over)--> waiting --(rung)--^
///
/// The gate is the registration word as it is while this process owns the events and no process delivers. A delivery is two
/// exchanges of it: into the same word with this process as `delivering`, and back. Any other change of the word makes the first
/// exchange fail, and nothing is consumed.
class io_object final : public operation_sink, public service_member, public std::enable_shared_from_this<io_object> {
public:
    io_object(io_role role, const boost::asio::any_io_executor& executor, const turn_options* in_turn);
    ~io_object();
    /// Takes `socket` over from the caller; on failure it stays the caller's.
    void assign(shared_socket& socket, error_code& ec);

    shared_socket& socket() noexcept { return socket_; }
    void start(io_operation& operation) noexcept;
    void cancel_all() noexcept;
    void cancel_one(const void* key) noexcept;
    shared_socket release() noexcept;
    void close(error_code& ec);
    void take_over(error_code& ec);
    void perform_now(io_operation::kind what, const iovec* pieces, std::size_t count, int flags, socket_address* address,
                     std::size_t& bytes, error_code& ec);
    bool owns_events() const noexcept;
    bool pass_on(error_code& ec);

    /// One try, under the descriptor's mutex. False: the socket was not ready.
    bool perform(io_operation& operation) noexcept;
    /// Whether the registration that the operation began under was lost. An operation may be on its way into the reactor while
    /// `lost` ends those that are there; it has to see the loss itself, under the descriptor's mutex, which both take.
    bool has_lost(const io_operation& operation) const noexcept { return operation.epoch_ != valid_epoch_.load(); }
    /// The reactor has let the operation go: done, or aborted.
    void conclude(io_operation& operation, const error_code& from_reactor) noexcept
    {
        if (inherited(operation) || from_reactor) [[unlikely]]
            tell_reason(operation, from_reactor);
    }
    /// After the handler of an operation in the accept queue has returned, and perhaps has started the next one.
    void after_handler() noexcept;

    void became_owner(std::uint32_t epoch) override;
    void look_again() override;
    void lost() override;
    void passed_on() override;
    void ended() noexcept override;

    /// Whether a parent of this process started the operation: it is the parent's, and this process does nothing for it.
    bool inherited(const io_operation& operation) const noexcept { return operation.forks_ != forks_; }

    // The service calls these. Around fork(2): a thread of the parent may be in a function of this object.
    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    void after_fork_in_child() noexcept override; ///< the registration is the parent's
    void abandon() noexcept override; ///< the operations that the child has inherited complete with `registration_cancelled`
    /// The context ends: destroys the operations that wait here. The reactor destroys those that are in it.
    void shut_down() noexcept override;

private:
    using list = std::vector<io_operation*>;

    bool gate_stands() const noexcept;
    [[gnu::noinline]] void start_otherwise(io_operation& operation) noexcept; ///< not at once into the reactor
    void start_in_line(io_operation& operation) noexcept;
    bool perform_in_turn(io_operation& operation) noexcept;
    void start_in_reactor(io_operation& operation) noexcept;
    void start_beside_user(io_operation& operation) noexcept; ///< for any thread, and for operations that do not try at once
    void tell_reason(io_operation& operation, const error_code& from_reactor) noexcept;
    void tell_loss(io_operation& operation) noexcept;
    void leave_reactor() noexcept;
    void cancel_in_reactor() noexcept;
    void start_by_registering(io_operation& operation) noexcept;
    void register_or_stand_by(bool in_line, const io_operation* beginning, error_code& ec);
    void lose(bool told_by_next) noexcept;
    void tell_unheard_loss() noexcept;
    void close_gate(list& waiting, list& turns) noexcept; // with mutex_ held
    void end_all(list& waiting, list& turns) noexcept;    ///< with `registration_cancelled`, also those in the reactor
    void complete(io_operation& operation, const error_code& ec) noexcept;
    void complete_all(list& operations, const error_code& ec) noexcept;
    void schedule_look() noexcept;
    void look() noexcept;
    bool attempt(io_operation& operation) noexcept; // transfers only for `perform_now`; the others inside a delivery, too
    using choice = bool(const io_operation& one, const void* about);
    void complete_in_lists(choice* which, const void* about, const error_code& ec) noexcept;

    const io_role role_;
    reactor_service& service_;
    shared_socket socket_;
    reactor_descriptor descriptor_;
    socket_slot* slot_ = nullptr; // of socket_
    const std::optional<turn_options> turn_options_;
    std::optional<reactor_line> line_; // of a listener that accepts in turn: no registration, no gate

    std::atomic<std::uint64_t> gate_{0}; // 0: closed
    std::atomic<std::uint64_t> busy_{0}; // the gate's word with this process delivering
    // The epoch of the operations that are not lost. It is compared for equality only, as epochs wrap around. It stays as it is
    // when the object is closed, for then its operations are aborted.
    static constexpr std::uint32_t lost_all = ~std::uint32_t{0}; // no epoch has so many bits
    std::atomic<std::uint32_t> valid_epoch_{0};                  // 0: operations in the accept queue have none

    std::uint32_t forks_ = 0; // the number of forks since this object was made; changed in a child, where one thread runs

    // Guards the descriptor's removal against its use by threads other than the user's. Taken before mutex_ or alone; calls on the
    // socket are made with it held, so fork(2) does not wait for it.
    ranked_mutex<lock_rank::io_object_reactor> reactor_mutex_;

    ranked_mutex<lock_rank::io_object> mutex_; // guards all below, and changes of the three above
    std::uint32_t epoch_           = 0;        // of this object's registration; 0: none
    bool untold_                   = false;    // a loss that no operation has reported yet
    bool registering_              = false;    // this object's own call makes and ends registrations now
    const io_operation* beginning_ = nullptr;  // the operation that registers
    list waiting_;                             // wait for the registration, and for the former owner's delivery to end
    list turns_;                               // wait for a turn from the standby queue

    context_job look_; // when rung, where no lock is held
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
