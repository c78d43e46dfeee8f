// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Event objects on the lines: takes over with and without news of losses, stands by, passes on, enumerates late, asks why it
// has lost, forks. The owner of a line takes all that it is told of.
#include "soak/ledger_worker.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <poll.h>

namespace ledger {

namespace {

class events final : public worker {
public:
    using worker::worker;

private:
    static constexpr ss::network_event mask = ss::network_event::read | ss::network_event::close;

    void act() override
    {
        for (auto steps = 1 + any(60); steps > 0; --steps)
            step(any(lines));
        receive_all(segment_);
        if (any(6) == 0 && !without("forks")) fork_now();
    }

    void step(std::uint32_t i)
    {
        if (!held_[i].is_open()) return open(i);
        ss::error_code ec;
        const ss::select_options how{.tell_loss = any(2) == 0, .fence_limit = std::chrono::milliseconds(any(20))};
        switch (any(12)) {
        case 0:
        case 1:
            if (without("losses") && how.tell_loss) return;
            held_[i].event_select(object(i), mask, how, ec);
            break;
        case 2:
            held_[i].stand_by(object(i), mask, {}, ec);
            break;
        case 3:
            held_[i].pass_on(ec);
            break;
        case 4:
            if (any(3) == 0) held_[i].cancel_registration(ec);
            break;
        case 5:
            return any(6) == 0 ? close(i) : collect(i);
        case 6:
            (void)object(i).is_set(); // the library looks, and the program collects later
            return;
        case 7:
            give_away(i);
            return;
        case 8:
            ::poll(nullptr, 0, static_cast<int>(any(3))); // another callback of this program is busy
            return;
        case 9:
            (void)registration(held_[i]);
            break;
        case 10:
            if (any(20) == 0 && !without("destroyed")) own_[i].reset();
            return;
        default:
            return collect(i);
        }
        went_well(ec, "an event call");
    }

    ss::event_object& object(std::uint32_t i)
    {
        if (own_[i] != nullptr) return *own_[i];
        if (any(4) != 0) return ready_;
        own_[i] = std::make_unique<ss::event_object>();
        return *own_[i];
    }

    void open(std::uint32_t i)
    {
        ss::shared_socket opened = open_line(i);
        if (opened.is_open()) keep(i, std::move(opened));
    }

    void keep(std::uint32_t i, ss::shared_socket&& opened) override
    {
        close(i);
        held_[i] = std::move(opened);
        count_handle(i, +1);
    }

    void close(std::uint32_t i)
    {
        if (!held_[i].is_open()) return;
        ss::error_code ec;
        held_[i].close(ec);
        went_well(ec, "close");
        held_[i] = {};
        count_handle(i, -1);
    }

    // With nothing carried: the records stay in the kernel for the target.
    void give_away(std::uint32_t i)
    {
        const ss::process_id target = somebody();
        if (!target || any(4) != 0) return;
        ss::error_code ec;
        const std::uint32_t tag = new_parcel(target, i);
        ss::hand_over_unacknowledged(std::move(held_[i]), target, {{}, tag}, ec);
        parcel_given(tag, ec);
        if (ec) return;
        held_[i] = {};
        count_handle(i, -1);
    }

    // An enumeration that tells of a loss is the loser's: events since then are for the new owner to take.
    void collect(std::uint32_t i)
    {
        ss::error_code ec;
        ss::event_object* const asked     = own_[i] != nullptr ? own_[i].get() : &ready_;
        const ss::network_events happened = held_[i].enum_network_events(asked, ec);
        if (ec == ss::errc::bad_event_object) return;
        if (!went_well(ec, "enum_network_events")) return;
        if (happened.lost) {
            if (happened) find("socket %u: an enumeration told of a loss and collected the new owner's events", i);
            return;
        }
        if (!happened.has(ss::network_event::read)) return;
        while (take_some(held_[i], i)) {
        }
    }

    void rest() override
    {
        std::array<ss::event_object*, lines + 1> objects{&ready_};
        std::size_t count = 1;
        for (auto& own : own_)
            if (own != nullptr) objects[count++] = own.get();
        if (!ss::wait_any({objects.data(), count}, 20ms)) return;
        if (any(4) == 0) ::poll(nullptr, 0, static_cast<int>(any(4))); // a program may come to it later
        for (std::uint32_t i = 0; i < lines; ++i)
            if (held_[i].is_open()) collect(i);
    }

    // The child has handles of its own and owns nothing, until it takes over itself.
    void fork_now()
    {
        const bool busy = any(2) == 0;
        const auto how  = std::array{ending::at_once, ending::in_order, ending::by_exec}[any(3)];
        fork_child(
            [&] {
                if (!busy) return;
                for (auto steps = any(20); steps > 0; --steps)
                    step(any(lines));
            },
            how, "event calls on the lines");
    }

    ss::event_object ready_;
    std::array<std::unique_ptr<ss::event_object>, lines> own_;
    std::array<ss::shared_socket, lines> held_;

    void let_go() override
    {
        for (std::uint32_t i = 0; i < lines; ++i)
            close(i);
    }
};

} // namespace

std::unique_ptr<worker> make_events(const assignment& told, shared_books& kept) { return std::make_unique<events>(told, kept); }

} // namespace ledger
