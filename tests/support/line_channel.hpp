#pragma once

#include "support/deadline.hpp"

#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test {

/// Reads and writes lines on descriptors that the caller owns. Both ends of a child_process use it.
class line_channel {
public:
    line_channel(int input, int output) : input_(input), output_(output) {}

    int output() const noexcept { return output_; } ///< the descriptor that `write` uses

    /// The next line without its end; nothing at the end of input.
    /// @throws std::system_error  with ETIMEDOUT when the deadline passes first.
    std::optional<std::string> read(const std::optional<deadline>& end = {})
    {
        for (;;) {
            if (const auto newline = buffer_.find('\n'); newline != std::string::npos) {
                std::string line = buffer_.substr(0, newline);
                buffer_.erase(0, newline + 1);
                return line;
            }
            if (!fill(end)) {
                return std::nullopt;
            }
        }
    }

    /// Writes one line; false when the reader has gone.
    bool write(std::string_view line)
    {
        if (line.find('\n') != std::string_view::npos) {
            throw std::invalid_argument("a line with an end inside: " + std::string(line));
        }
        std::string bytes(line);
        bytes += '\n';
        for (std::size_t done = 0; done < bytes.size();) {
            const auto sent = put(bytes.data() + done, bytes.size() - done);
            if (sent >= 0) {
                done += static_cast<std::size_t>(sent);
            } else if (errno == EPIPE || errno == ECONNRESET) {
                return false;
            } else if (errno != EINTR) {
                throw std::system_error(errno, std::generic_category(), "write to a child process channel");
            }
        }
        return true;
    }

private:
    bool fill(const std::optional<deadline>& end)
    {
        pollfd readable{input_, POLLIN, 0};
        const int ready = ::poll(&readable, 1, end ? end->left_ms() : -1);
        if (ready == 0) {
            throw std::system_error(ETIMEDOUT, std::generic_category(), "read from a child process channel");
        }
        char bytes[4096];
        const auto got = ready < 0 ? -1 : ::read(input_, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) {
            return true;
        }
        if (got < 0 && errno != ECONNRESET) { // ECONNRESET is an end too: of a peer that had not read all bytes
            throw std::system_error(errno, std::generic_category(), "read from a child process channel");
        }
        buffer_.append(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
        return got > 0;
    }

    // MSG_NOSIGNAL keeps a dead child from killing the test. It needs a socket; a role that a person runs has a terminal.
    ssize_t put(const char* bytes, std::size_t size) const
    {
        const auto sent = ::send(output_, bytes, size, MSG_NOSIGNAL);
        return sent < 0 && errno == ENOTSOCK ? ::write(output_, bytes, size) : sent;
    }

    int input_;
    int output_;
    std::string buffer_;
};

} // namespace test
