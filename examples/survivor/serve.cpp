// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A line takes three steps, and the process may die before, between and after them:
//
//   1. it becomes the next step           the session's record in shared memory says so
//   2. its answer is sent                 the kernel's count of bytes written to the connection says how much of it
//   3. it is read from the connection     the number of the line that comes first says whether
//
// The result of each step outlives the process, so its successor finds out how far it came, and does the rest. Until the third
// step the line is only peeked at (MSG_PEEK): a line that a process has read and not answered would be lost with the process.
//
// That rests on a few things. The memory and the connection outlive the process, because other processes have them: if all
// die, the session does. An answer can be made again from the record, byte for byte. Only the owner of the events
// writes to the connection: the successor gets its turn when the kernel says that the owner is dead, and then no call of it
// is under way. And lines have numbers, from the client.
#include "serve.hpp"

#include "kernel_count.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace survivor {
namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

constexpr std::size_t longest_line = 512;

bool nothing_more_comes(const ss::stream& stream) noexcept
{
    pollfd asked{stream.native_handle(), POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) > 0;
}

/// The first line, which stays where it is; empty at the end of the connection.
asio::awaitable<std::string> peek_line(ss::stream& stream)
{
    std::array<char, longest_line> room;
    for (;;) {
        const auto [ec, size] = co_await stream.async_receive(asio::buffer(room), MSG_PEEK, asio::as_tuple(asio::use_awaitable));
        if (ec == asio::error::eof) co_return std::string();
        if (ec) throw ss::system_error(ec, "peek");
        const std::string_view seen(room.data(), size);
        if (const auto end = seen.find('\n'); end != seen.npos) co_return std::string(seen.substr(0, end + 1));
        if (size == room.size()) throw std::runtime_error("a line without end");
        if (nothing_more_comes(stream)) co_return std::string();
        // A part of a line makes the connection readable, again and again: until there is more than that, it shall not be.
        stream.socket().set_option(asio::socket_base::receive_low_watermark(static_cast<int>(size) + 1));
        co_await stream.async_wait(asio::socket_base::wait_read, asio::use_awaitable);
        stream.socket().set_option(asio::socket_base::receive_low_watermark(1));
    }
}

/// Sends the rest of the step's answer.
asio::awaitable<void> answer(ss::stream& stream, const step& now)
{
    const std::string text   = now.answer();
    const std::uint64_t gone = written_bytes(stream.native_handle()) - now.answer_at;
    if (gone > text.size()) throw std::runtime_error("more has been written than answers");
    co_await asio::async_write(stream, asio::buffer(text) + static_cast<std::size_t>(gone), asio::use_awaitable);
}

void perish_at(moment now, session& progress)
{
    if (moment expected = now; progress.fatal.compare_exchange_strong(expected, moment::none)) ::kill(::getpid(), SIGKILL);
}

void note_what_was_left(const ss::stream& stream, session& progress, std::uint64_t first_line)
{
    const step last = progress.current();
    if (written_bytes(stream.native_handle()) - last.answer_at < last.answer().size())
        ++progress.unanswered;
    else if (first_line != 0 && first_line == last.line)
        ++progress.unconsumed;
}

} // namespace

asio::awaitable<void> serve_in_turn(ss::stream& stream, session& progress)
{
    co_await stream.async_stand_by(asio::use_awaitable);
    ++progress.takers;
    stream.socket().set_option(asio::socket_base::receive_low_watermark(1)); // a dead server may have left another value
    if (progress.ended) co_return;
    std::array<char, longest_line> room;
    for (bool successor = true;; successor = false) {
        const std::string line     = co_await peek_line(stream);
        const std::uint64_t number = line.empty() ? 0 : std::stoull(line);
        const step last            = progress.current();
        if (successor) {
            note_what_was_left(stream, progress, number);
            co_await answer(stream, last);
        }
        if (line.empty()) {
            progress.ended = true;
            co_return;
        }
        if (number == last.line + 1) {
            progress.begin({number, last.total + number, written_bytes(stream.native_handle())});
            perish_at(moment::begun, progress);
            if (progress.fatal == moment::half_answered) {
                const std::string text = progress.current().answer();
                co_await asio::async_write(stream, asio::buffer(text, text.size() / 2), asio::use_awaitable);
                perish_at(moment::half_answered, progress);
            }
            co_await answer(stream, progress.current());
            perish_at(moment::answered, progress);
        } else if (number != last.line) {
            throw std::runtime_error("line " + line + " comes after " + std::to_string(last.line));
        }
        co_await asio::async_read(stream, asio::buffer(room, line.size()), asio::use_awaitable); // one call takes the line
    }
}

} // namespace survivor
