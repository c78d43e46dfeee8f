// X of the conformance matrix: the other end of a connection, which knows nothing of the library.
#pragma once

#include "support/deadline.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace test {

/// How long nothing must happen to be called nothing.
inline constexpr std::chrono::milliseconds quiet_time{200};

/// A connected socket of the test process, of TCP or another kind. All calls wait, up to `test::patience`, and throw
/// `std::system_error`.
class plain_socket {
public:
    explicit plain_socket(int descriptor) : descriptor_(descriptor) {}
    plain_socket(plain_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    plain_socket& operator=(plain_socket&& other) noexcept
    {
        close();
        descriptor_ = std::exchange(other.descriptor_, -1);
        return *this;
    }
    ~plain_socket() { close(); }

    static plain_socket connect(std::uint16_t port)
    {
        plain_socket made(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        sockaddr_in address{};
        address.sin_family      = AF_INET;
        address.sin_port        = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        checked(::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
        return made;
    }

    int descriptor() const noexcept { return descriptor_; }
    int release() noexcept { return std::exchange(descriptor_, -1); }

    void send(std::string_view text, int flags = 0)
    {
        while (!text.empty()) {
            const auto sent = checked(::send(descriptor_, text.data(), text.size(), flags | MSG_NOSIGNAL), "send");
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    /// Exactly so many bytes, or those that came before the end.
    std::string receive(std::size_t size)
    {
        std::string text(size, '\0');
        std::size_t done = 0;
        while (done < size) {
            if (!readable(patience)) throw std::system_error(ETIMEDOUT, std::generic_category(), "plain_socket::receive");
            const auto got = checked(::recv(descriptor_, text.data() + done, size - done, 0), "recv");
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        text.resize(done);
        return text;
    }

    /// Whether the orderly end comes next.
    bool ended() { return receive(1).empty(); }

    /// Whether a reset comes next.
    bool was_reset()
    {
        char byte = 0;
        return readable(patience) && ::recv(descriptor_, &byte, 1, 0) == -1 && errno == ECONNRESET;
    }

    /// Whether there is nothing to read and no end for so long.
    bool quiet(std::chrono::milliseconds time = quiet_time) { return !readable(time); }

    void shutdown_send() { checked(::shutdown(descriptor_, SHUT_WR), "shutdown"); }

    /// Closes with a reset.
    void reset()
    {
        const linger now{1, 0};
        checked(::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now), "setsockopt SO_LINGER");
        close();
    }

    void close() noexcept
    {
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }

private:
    template <class Result>
    static Result checked(Result result, const char* what)
    {
        if (result < 0) throw std::system_error(errno, std::generic_category(), what);
        return result;
    }

    bool readable(std::chrono::milliseconds limit)
    {
        pollfd asked{descriptor_, POLLIN | POLLRDHUP, 0};
        return checked(::poll(&asked, 1, static_cast<int>(limit.count())), "poll") > 0;
    }

    int descriptor_;
};

/// A listening TCP socket of the test process, on a free port of 127.0.0.1.
class plain_listener {
public:
    explicit plain_listener(int backlog = SOMAXCONN) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family      = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size          = sizeof address;
        auto* const any         = reinterpret_cast<sockaddr*>(&address);
        if (::bind(socket_.descriptor(), any, size) != 0 || ::listen(socket_.descriptor(), backlog) != 0 ||
            ::getsockname(socket_.descriptor(), any, &size) != 0)
            throw std::system_error(errno, std::generic_category(), "plain_listener");
        port_ = ntohs(address.sin_port);
    }

    std::uint16_t port() const noexcept { return port_; }
    int descriptor() const noexcept { return socket_.descriptor(); }

    plain_socket accept()
    {
        const int accepted = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) throw std::system_error(errno, std::generic_category(), "accept");
        return plain_socket(accepted);
    }

    void close() noexcept { socket_.close(); }

private:
    plain_socket socket_;
    std::uint16_t port_ = 0;
};

/// A listening AF_UNIX socket of the test process, at a path that is not in use.
class local_listener {
public:
    local_listener(std::string path, int type) : path_(std::move(path)), socket_(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(socket_.descriptor(), 8) != 0)
            throw std::system_error(errno, std::generic_category(), "local_listener");
    }

    const std::string& path() const noexcept { return path_; }

    plain_socket accept()
    {
        const int accepted = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) throw std::system_error(errno, std::generic_category(), "accept");
        return plain_socket(accepted);
    }

private:
    std::string path_;
    plain_socket socket_;
};

} // namespace test
