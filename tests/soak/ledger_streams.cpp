// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Asio streams on the lines: reads, takes over, stands by, passes on with and without a successor, hands over with the bytes read,
// and forks with all that pending. A stream that owns its events has to receive.
#include "soak/ledger_worker.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <sys/ioctl.h>
#include <sys/socket.h>

namespace ledger {

namespace asio = boost::asio;

namespace {

constexpr auto hearing_limit = 10s * test::slowness; // a guard against deafness, no measure

class streams final : public worker {
public:
    streams(const assignment& told, shared_books& kept) : worker(told, kept)
    {
        if (any(2) == 0 && !without("serving")) serving_ = ss::serve(segment_, io_.get_executor());
    }
    ~streams() override { let_go(); }

private:
    struct one {
        std::optional<ss::stream> stream;
        std::array<record, handful> room;
        bool reads           = false;
        bool stands_by       = false;
        bool settles         = false; // nothing new begins
        std::uint64_t ended  = 0;     // reads that completed
        std::uint32_t denied = 0;     // reads of an owner in a row that said registration_cancelled
        std::uint32_t epoch  = 0;     // of the registration at the last of them
    };

    void act() override
    {
        for (auto steps = 1 + any(30); steps > 0; --steps) {
            step(any(lines));
            if (any(2) == 0) turn(0ms);
        }
        receive_all(segment_);
        if (any(6) == 0 && !without("forks") && !without("pending")) fork_now();
    }

    void turn(std::chrono::milliseconds limit)
    {
        io_.restart();
        limit == 0ms ? io_.poll() : io_.run_for(limit);
    }

    void step(std::uint32_t i)
    {
        one& at = all_[i];
        if (!at.stream) return open(i);
        ss::error_code ec;
        switch (any(10)) {
        case 0:
            at.stream->take_over(ec);
            break;
        case 1:
            if (without("pass_on")) return;
            if (!at.stream->pass_on(ec) && !ec) hear_more(i);
            break;
        case 2:
            return stand_by(i);
        case 3:
            at.stream->cancel();
            return;
        case 4:
            return any(4) == 0 ? close(i) : read(i);
        case 5:
            return any(3) == 0 ? give_away(i) : read(i);
        default:
            return read(i);
        }
        went_well(ec, "a call of a stream");
    }

    void open(std::uint32_t i)
    {
        ss::shared_socket opened = open_line(i);
        if (opened.is_open()) keep(i, std::move(opened));
    }

    void keep(std::uint32_t i, ss::shared_socket&& opened) override
    {
        close(i);
        all_[i].stream.emplace(io_, std::move(opened));
        count_handle(i, +1);
    }

    void close(std::uint32_t i)
    {
        one& at = all_[i];
        if (!at.stream) return;
        settle(i);
        at.stream.reset();
        at.denied = 0;
        count_handle(i, -1);
    }

    // Ends the pending operations, and books the records of a read that had finished.
    void settle(std::uint32_t i)
    {
        one& at    = all_[i];
        at.settles = true;
        at.stream->cancel();
        for (int rounds = 0; at.reads || at.stands_by; ++rounds) {
            if (rounds == 500 * test::slowness)
                find("socket %u: %s did not complete within 5 s of cancel(); the stream %s", i,
                     at.reads ? "async_read_some" : "async_stand_by",
                     at.stream->owns_events() ? "owns its events" : "owns nothing");
            turn(10ms);
        }
        at.settles = false;
    }

    void read(std::uint32_t i)
    {
        one& at = all_[i];
        if (at.reads || at.settles) return;
        at.reads = true;
        hold(i, +1);
        at.stream->async_read_some(
            asio::buffer(at.room.data(), sizeof at.room), [this, i, mine = depth()](ss::error_code ec, std::size_t n) {
                if (mine != depth()) {
                    if (!ec) find("socket %u: a read that the parent had started took %zu bytes in the forked child", i, n);
                    return;
                }
                one& done  = all_[i];
                done.reads = false;
                ++done.ended;
                if (n % sizeof(record) != 0) find("socket %u: a stream read %zu bytes, which are no whole records", i, n);
                book(i, std::span(done.room).first(n / sizeof(record)));
                hold(i, -1);
                judge_read(i, ec);
            });
    }

    // A loss is told once. An owner whose reads go on being denied, without another registration, is deaf.
    void judge_read(std::uint32_t i, const ss::error_code& ec)
    {
        one& at               = all_[i];
        const auto registered = registration(at.stream->socket());
        if (ec != ss::errc::registration_cancelled || !at.stream->owns_events() || !registered) {
            at.denied = 0;
        } else if (at.denied == 0 || registered->epoch != at.epoch) {
            at.denied = 1;
            at.epoch  = registered->epoch;
        } else if (++at.denied > 3) {
            find("socket %u: the stream owns the events (epoch %u), and %u reads in a row said registration_cancelled", i, at.epoch,
                 at.denied);
        }
        if (went_well(ec, "async_read_some") && any(2) == 0) read(i);
    }

    void stand_by(std::uint32_t i)
    {
        one& at = all_[i];
        if (at.stands_by) return;
        at.stands_by = true;
        at.stream->async_stand_by([this, i, mine = depth()](ss::error_code ec) {
            if (mine != depth()) {
                if (!ec) find("socket %u: the turn that the parent waits for came to the forked child", i);
                return;
            }
            all_[i].stands_by = false;
            if (went_well(ec, "async_stand_by") && all_[i].stream) read(i);
        });
    }

    // No other handle stood by: this stream is still the owner, and has to go on receiving.
    void hear_more(std::uint32_t i)
    {
        const one& at = all_[i];
        for (int reads = 0; reads < 6 && at.stream->owns_events(); ++reads) {
            read(i);
            turn(0ms);
        }
        const test::deadline end(hearing_limit);
        const std::uint64_t before = at.ended;
        while (at.reads && at.ended == before && at.stream->owns_events() && bytes_wait(i)) {
            if (end.passed())
                find("socket %u: bytes wait and the stream owns the events, but its read is deaf after a vain pass_on", i);
            turn(10ms);
        }
    }

    bool bytes_wait(std::uint32_t i) const
    {
        int bytes = 0;
        return ::ioctl(all_[i].stream->socket().native_handle(), FIONREAD, &bytes) == 0 && bytes > 0;
    }

    // With some records that this worker has taken and not booked: the target books them.
    void give_away(std::uint32_t i)
    {
        const ss::process_id target = somebody();
        if (!target) return;
        settle(i);
        std::array<record, handful> carried;
        ss::error_code ec;
        hold(i, +1);
        const std::size_t size = all_[i].stream->socket().receive(std::as_writable_bytes(std::span(carried)), MSG_DONTWAIT, ec);
        const std::span taken(carried.data(), size / sizeof(record));
        const std::uint32_t tag = new_parcel(target, i, taken.size());
        bool waits              = true;
        const ss::hand_over_options how{.limit = 2s}; // the target may be stopped: then it comes back
        ss::async_hand_over(*all_[i].stream, target, {std::as_bytes(taken), tag}, how, [&](ss::error_code result) {
            waits = false;
            parcel_given(tag, result);
            if (result) return book(i, taken, false);
            all_[i].stream.reset();
            count_handle(i, -1);
        });
        for (int rounds = 0; waits && rounds < 500; ++rounds)
            turn(10ms);
        if (waits) find("socket %u: async_hand_over %u did not complete within 5 s", i, tag);
        hold(i, -1);
    }

    void rest() override
    {
        for (std::uint32_t i = 0; i < lines; ++i)
            if (all_[i].stream && all_[i].stream->owns_events()) read(i);
        turn(10ms);
        pause();
    }

    void fork_now()
    {
        const bool anew = any(2) == 0;
        const auto how  = std::array{ending::at_once, ending::in_order, ending::by_exec}[any(3)];
        io_.notify_fork(asio::execution_context::fork_prepare);
        fork_child([&] { in_child(anew); }, how, "streams with reads and turns pending", false,
                   [&] { io_.notify_fork(asio::execution_context::fork_parent); });
    }

    // All pending operations are the parent's. The child may begin anew, and books the records that it takes before it ends.
    void in_child(bool anew)
    {
        try {
            io_.notify_fork(asio::execution_context::fork_child);
        } catch (const std::exception& failure) {
            find("notify_fork(fork_child) threw: %s", failure.what());
        }
        for (one& each : all_)
            each.reads = each.stands_by = false;
        if (anew)
            for (auto steps = any(10); steps > 0; --steps)
                if (const auto i = any(lines); all_[i].stream) read(i);
        turn(std::chrono::milliseconds(any(20)));
        for (std::uint32_t i = 0; i < lines; ++i)
            if (all_[i].stream) settle(i);
    }

    void let_go() override
    {
        for (std::uint32_t i = 0; i < lines; ++i)
            close(i);
        serving_.reset();
        turn(0ms);
    }

    asio::io_context io_;
    std::array<one, lines> all_;
    std::shared_ptr<void> serving_;
};

} // namespace

std::unique_ptr<worker> make_streams(const assignment& told, shared_books& kept) { return std::make_unique<streams>(told, kept); }

} // namespace ledger
