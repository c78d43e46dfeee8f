// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "socket/giving.hpp"

#include "base/lock_rank.hpp"
#include "base/syscall.hpp"
#include "socket/offer.hpp"
#include "tables/process_table.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include <poll.h>

namespace sharedsock::detail {
namespace {

using clock    = std::chrono::steady_clock;
using instant  = clock::time_point;
using interval = std::chrono::milliseconds;

interval left_until(instant deadline)
{
    const auto left = std::chrono::ceil<interval>(deadline - clock::now());
    return std::clamp<interval>(left, interval(0), taker_tick);
}

// How a thread waits for another process. It serves its segment meanwhile: the other process may wait for this one.
class serving_wait {
public:
    explicit serving_wait(attachment& where) noexcept : where_(where) {}

    /// Polls until there is something to see at `descriptor`, or this process has served, or the tick is over. True: there is
    /// something to see.
    bool until_ready(int descriptor, short events, instant deadline, error_code& ec)
    {
        lock_ranks::expect_none("a hand-over waits");
        // A mailbox that could not be read is not looked at before the next tick: it is readable all the while.
        const int numbers[] = {descriptor, where_.bells().native_handle(), where_.deaths().native_handle(),
                               unread_ ? -1 : where_.box().native_handle()};
        std::array<pollfd, std::size(numbers)> asked{};
        for (std::size_t i = 0; i < asked.size(); ++i)
            asked[i] = {closed_[i] ? -1 : numbers[i], i == 0 ? events : short{POLLIN}, 0};
        const auto left = static_cast<int>(left_until(deadline).count());
        const int ready = uninterrupted([&] { return ::poll(asked.data(), asked.size(), left); });
        if (ready < 0) {
            ec = last_error(sys<"poll">);
            return false;
        }
        unread_ = unread_ && ready > 0;
        error_code unread; // its messages stay where they are, and the call that wants them reports it
        if (ready > 0) where_.serve(unread);
        unread_ = unread_ || unread;
        for (std::size_t i = 0; i < asked.size(); ++i)
            closed_[i] = closed_[i] || (asked[i].revents & POLLNVAL) != 0; // by other code: the tick is left
        return (asked[0].revents & ~POLLNVAL) != 0;
    }

private:
    attachment& where_;
    bool unread_ = false;
    std::array<bool, 4> closed_{};
};

// Waits until the mailbox of `target` has room. False with the error `mailbox_full`: there is nothing to wait for, or the time is
// over.
bool wait_for_room(handle& handed, process_id target, instant deadline, error_code& ec)
{
    const unique_fd way = handed.where().box().way_to(target.index);
    serving_wait wait(handed.where());
    error_code failed;
    for (bool room = false; way && !room && !failed && clock::now() < deadline;) {
        room = wait.until_ready(way.get(), POLLOUT, deadline, failed);
        if (room) return true;
    }
    ec = failed ? failed : make_error_code(errc::mailbox_full);
    return false;
}

void wait_for_taker(giving& one, instant deadline, error_code& ec)
{
    attachment& where = one.given()->where();
    serving_wait wait(where);
    for (;;) {
        where.want_alarm(one, std::nullopt); // before the look: a settlement after it rings
        if (one.look(ec) != giving::state::waits) return;
        error_code failed;
        if (clock::now() < deadline) wait.until_ready(one.alarm.get(), POLLIN, deadline, failed);
        if (!failed && clock::now() < deadline) continue;
        if (one.look(ec) != giving::state::waits) return;
        if (one.take_back(ec) && !ec) ec = failed ? failed : make_error_code(errc::hand_over_not_taken);
        return;
    }
}

} // namespace

std::chrono::steady_clock::time_point time_after(std::chrono::milliseconds limit) noexcept
{
    const auto now = clock::now();
    return limit < instant::max() - now ? now + limit : instant::max();
}

std::unique_ptr<giving> giving::begin(std::shared_ptr<handle> given, process_id target, const packed_carry& with, error_code& ec)
{
    membership* const self = given->member(ec);
    if (self == nullptr) return nullptr;
    std::unique_ptr<giving> made(new giving(std::move(given), target));
    made->where().hang_bell(ec); // by which the target says that it has taken it
    if (!ec) made->alarm = made->where().take_alarm(ec);
    if (!ec) made->record = send_giving(*made->given_, *self, target, with, ec);
    if (ec) {
        made->state_ = state::back;
        made->where().stop_awaiting(*made);
        return nullptr;
    }
    made->where().await_taker(*made);
    return made;
}

giving::~giving()
{
    error_code anyway;
    if (state_ == state::waits) take_back(anyway);
}

void giving::came_back(bool message_may_lie_there) noexcept
{
    state_ = state::back;
    // The copy in the message would keep the connection open, until its reader drops it.
    if (message_may_lie_there) given_->slot().flags.fetch_or(flag_copied);
    where().give_up({given_->socket(), record});
    where().stop_awaiting(*this);
}

void giving::was_taken() noexcept
{
    state_ = state::taken;
    where().stop_awaiting(*this);
    error_code had_ended; // another thread ended the handle, against the rules: the target has the socket all the same
    given_->end(handle::ending::background, had_ended);
}

// The death watch sweeps the dead. It does not see a target that executes another program: that is asked at each tick.
bool giving::target_lives(const membership& self) noexcept
{
    if (!process_table::is_incarnation(self.bytes(), target.index, target.generation)) return false;
    const instant now = clock::now();
    if (now < ask_again_) return true;
    ask_again_ = now + taker_tick;
    return self.alive(target);
}

giving::state giving::look(error_code& ec)
{
    ec.clear();
    if (state_ == state::waits && instance_ != process_instance()) { // a forked child's copy: the record is the parent's
        state_ = state::back;
        why_.assign(ECANCELED, boost::system::system_category());
    }
    if (state_ != state::waits) {
        ec = why_;
        return state_;
    }
    membership* const self = where().member();
    if (self == nullptr) { // others have taken this process for dead; the target may have it
        state_ = state::back;
        why_   = given_->why_closed();
        where().stop_awaiting(*this);
        ec = why_;
        return state_;
    }
    switch (self->judge_giving(record)) {
    case membership::giving_standing::taken:
        was_taken();
        break;
    case membership::giving_standing::declined:
        why_ = errc::hand_over_declined;
        came_back(false);
        break;
    case membership::giving_standing::waits:
        if (target_lives(*self)) break;
        if (!self->recall(record)) return look(ec); // its last act
        why_ = errc::target_gone;
        came_back(false);
    }
    ec = why_;
    return state_;
}

bool giving::take_back(error_code& ec)
{
    if (look(ec) != state::waits) return state_ == state::back;
    if (!where().member()->recall(record)) return look(ec) == state::back; // taken or declined in this moment
    came_back(true);
    return true;
}

int giving::keep_alarm(error_code& ec)
{
    ec.clear();
    if (!alarm) alarm = where().take_alarm(ec);
    if (ec) return -1;
    where().keep_alarm(*this);
    error_code later; // the program looks again
    look(later);
    return alarm.get();
}

void hand_over(const std::shared_ptr<handle>& handed, process_id target, const carry& with, const hand_over_options& how,
               error_code& ec)
{
    const instant deadline    = time_after(how.limit);
    const packed_carry packed = pack(with, ec);
    if (ec) return;
    auto one = giving::begin(handed, target, packed, ec);
    // Once more where there was room: if the mailbox is full all the same, too many descriptors are under way.
    if (ec == errc::mailbox_full && wait_for_room(*handed, target, deadline, ec)) one = giving::begin(handed, target, packed, ec);
    if (one != nullptr) wait_for_taker(*one, deadline, ec);
}

} // namespace sharedsock::detail
