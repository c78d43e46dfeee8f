// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>
#include <sharedsock/error.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/socket_address.hpp>
#include <sharedsock/turn_acceptor.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <sys/uio.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

class io_object;         // src/asio: the core of a stream, a datagram socket or an acceptor
class pending_operation; // an operation as Asio's reactor sees it

/// One pending asynchronous operation, as the compiled core sees it. The templates of the headers derive from it and add the
/// handler: everything that depends on the user's types is behind `finish`.
class io_operation {
public:
    enum class kind : std::uint8_t { receive, send, accept, connect, wait_read, wait_write, wait_error, turn };

    io_operation(const io_operation&)            = delete;
    io_operation& operator=(const io_operation&) = delete;

    // The request; constant once it is started.
    kind what;
    int flags               = 0;
    const iovec* pieces     = nullptr; ///< kept in the derived object
    std::size_t piece_count = 0;
    std::optional<socket_address> address; ///< the peer's, to send to or received from; for datagrams and connect
    bool is_continuation = false;          ///< see Asio's hook of that name
    const void* key      = nullptr;        ///< a cancellation slot knows the operation by it

    // The result.
    error_code ec;
    std::size_t bytes = 0;
    std::shared_ptr<handle> accepted;

    /// Destroys the operation; before that, if `invoke`, calls the handler with the results. On a thread of the context.
    virtual void finish(bool invoke) = 0;

protected:
    explicit io_operation(kind of_what) noexcept : what(of_what) {}
    ~io_operation() = default;

private:
    friend class io_object;
    friend class pending_operation;
#if defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING)
    static constexpr std::size_t node_size = 11 * sizeof(void*); // with the number that Asio gives the operation
#else
    static constexpr std::size_t node_size = 10 * sizeof(void*);
#endif

    std::shared_ptr<io_object> object_;        // lives as long as an operation is pending
    std::uint32_t epoch_ = 0;                  // of the registration it runs under
    std::uint32_t forks_ = 0;                  // the number of forks of its object when it was started
    bool begun_          = false;              // of connect: the attempt has been made; of an accept in turn: tried once
    bool in_line_        = false;              // of an acceptor that takes turns: counted in the accept queue
    alignas(void*) std::byte node_[node_size]; // the reactor's form of it (src/asio/pending_operation.hpp)
};

// --- the core, as the templates call it -------------------------------------------------------------------------------

enum class io_role : std::uint8_t { connection, datagram, listener };

/// Puts a socket on an executor whose context does I/O. Throws `system_error` as Asio's `assign` does; takes nothing then.
std::shared_ptr<io_object> make_io_object(io_role role, shared_socket& socket, const boost::asio::any_io_executor& executor,
                                          const turn_options* in_turn = nullptr);
/// Starts an operation, which completes through the context, never inside this call.
void start(io_object& object, io_operation& operation) noexcept;
void cancel_all(io_object& object) noexcept;
std::weak_ptr<io_object> weakly(io_object& object) noexcept;
void cancel_one(const std::weak_ptr<io_object>& object, const void* key) noexcept;
shared_socket& socket_of(io_object& object) noexcept;
/// Takes the socket off the executor; pending operations are aborted.
shared_socket release(io_object& object) noexcept;
void close(io_object& object, error_code& ec);
void take_over(io_object& object, error_code& ec);
bool owns_events(const io_object& object) noexcept;
bool pass_on(io_object& object, error_code& ec);
/// One call that waits until it is done: the synchronous operations.
void perform_now(io_object& object, io_operation::kind what, const iovec* pieces, std::size_t count, int flags,
                 socket_address* address, std::size_t& bytes, error_code& ec);

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
