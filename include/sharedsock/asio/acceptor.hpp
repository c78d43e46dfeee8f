// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/stream.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace sharedsock {

/// Chooses that an acceptor owns the listener's registration, instead of accepting in turn.
struct by_registration_t {};
inline constexpr by_registration_t by_registration{};

/// A listening socket that several processes hold, as Asio's `basic_socket_acceptor`.
///
/// **In turn**, unless it is made otherwise: the acceptors of all processes wait in one accept queue (see
/// `turn_acceptor`), so a connection wakes one of them, connections come to all alike, and an acceptor that is busy, stopped or
/// dead is passed over. No handle owns the listener's events then; if one registers for them, `async_accept` completes with
/// `errc::registration_cancelled`; start it again when that registration has ended. The acceptor is in the queue while an operation
/// waits. `take_over`, `async_stand_by` and `pass_on` are for acceptors by registration, and fail with `operation_not_supported`.
///
/// **By registration**: the acceptor that has accepted last owns the listener's events (REG-2), as a stream owns its connection's.
///
/// @par Errors, cancellation, safety, fork(2)
/// As `detail::basic_io_object` says; the calls fail as those of `shared_socket`.
template <class Executor = boost::asio::any_io_executor>
class basic_acceptor : public detail::basic_io_object<Executor> {
    using base = detail::basic_io_object<Executor>;
    using kind = detail::io_operation::kind;

public:
    template <class Other>
    struct rebind_executor {
        using other = basic_acceptor<Other>;
    };

    explicit basic_acceptor(const Executor& executor) : base(detail::io_role::listener, executor, shared_socket()) {}
    /// Puts `listener` on `executor`, to accept in turn. Throws `system_error`; then it is still the caller's.
    basic_acceptor(const Executor& executor, shared_socket&& listener, const turn_options& turns = {})
        : base(detail::io_role::listener, executor, std::move(listener), turns)
    {}
    template <class Context>
    requires std::is_convertible_v<Context&, boost::asio::execution_context&>
    basic_acceptor(Context& context, shared_socket&& listener, const turn_options& turns = {})
        : basic_acceptor(Executor(context.get_executor()), std::move(listener), turns)
    {}
    /// Puts `listener` on `executor`, to own the registration. Throws `system_error`; then `listener` is still the caller's.
    basic_acceptor(const Executor& executor, shared_socket&& listener, by_registration_t)
        : base(detail::io_role::listener, executor, std::move(listener))
    {}

    /// Accepts one connection, as a stream on this acceptor's executor, with a slot of its own (STATE-13).
    template <boost::asio::completion_token_for<void(error_code, basic_stream<Executor>)> Token =
                  boost::asio::default_completion_token_t<Executor>>
    auto async_accept(Token&& token = boost::asio::default_completion_token_t<Executor>())
    {
        return this->template start<void(error_code, basic_stream<Executor>)>(token, kind::accept, 0, detail::piece_list<1>(),
                                                                              nullptr, stream_on{this->get_executor()});
    }

    basic_stream<Executor> accept(error_code& ec)
    {
        for (;;) {
            shared_socket accepted = this->socket().accept(ec);
            if (ec != boost::system::errc::operation_would_block)
                return stream_on{this->get_executor()}.make(std::move(accepted), ec);
            static_cast<void>(this->now(kind::wait_read, 0, detail::piece_list<1>(), nullptr, ec));
            if (ec) return basic_stream<Executor>(this->get_executor());
        }
    }
    basic_stream<Executor> accept()
    {
        error_code ec;
        auto accepted = accept(ec);
        if (ec) throw system_error(ec, "accept");
        return accepted;
    }

private:
    struct stream_on {
        Executor executor;

        std::tuple<error_code, basic_stream<Executor>> operator()(detail::io_operation& done) const
        {
            error_code ec = done.ec;
            auto made     = make(shared_socket(std::move(done.accepted)), ec);
            return {ec, std::move(made)};
        }
        basic_stream<Executor> make(shared_socket&& accepted, error_code& ec) const
        {
            if (!ec) {
                try {
                    return basic_stream<Executor>(executor, std::move(accepted));
                } catch (const system_error& failure) { // no room in the epoll instance: the connection ends
                    ec = failure.code();
                }
            }
            return basic_stream<Executor>(executor);
        }
    };
};

using acceptor = basic_acceptor<>;

} // namespace sharedsock
