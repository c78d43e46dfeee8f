// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The phases of a local registration; local_registration_delivery.cpp delivers its events.
#include "events/local_registration.hpp"

#include "events/registering.hpp"
#include "events/urgent.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include <sys/epoll.h>

namespace sharedsock::detail {
namespace {

std::uint64_t next_id() noexcept // 0 to 2 are the event poller's own entries
{
    static std::atomic<std::uint64_t> last{2};
    return last.fetch_add(1) + 1;
}

} // namespace

local_registration::local_registration(handle& through, origin from, std::uint32_t mask, bool tell_loss,
                                       std::shared_ptr<event_poller> where, event_sink sink)
    : id_(next_id()),
      from_(from),
      handle_(through),
      which_(through.which()),
      attachment_(through.where_ptr()),
      slot_(through.slot()),
      socket_number_(through.socket().as_number()),
      mask_(mask),
      tell_loss_(tell_loss),
      poller_(std::move(where)),
      kind_(sink.kind),
      sink_(std::move(sink.messages)),
      operations_(std::move(sink.operations)),
      phase_(from == origin::select ? phase::made : phase::standing_by)
{}

void local_registration::begin(std::uint32_t epoch)
{
    const std::scoped_lock lock(mutex_);
    phase_                 = phase::owner;
    epoch_                 = epoch;
    changed_               = 0;
    missed_                = false;
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    if (const registration_word word = load(slot_.registration); !word.owned_by(self->self().index, epoch_))
        lose(word);
    else if (kind_ == registration_kind::operations)
        become_owner();
    else if (std::exchange(early_, false) || urgent::kept(slot_)) // a kept urgent byte makes no edge
        look_anew();
    watch_holders(*self);
}

void local_registration::become_owner()
{
    if (const auto alive = operations_.lock()) alive->became_owner(epoch_);
}

void local_registration::tell_operations(void (operation_sink::*what)())
{
    if (const auto alive = operations_.lock()) (alive.get()->*what)();
}

void local_registration::watch(error_code& ec)
{
    ec.clear();
    if (has_entry())
        poller_->watch(*this, handle_.fd(), epoll_interest(mask_), ec);
    else if (sink_)
        poller_->replace(watch_, sink_->watch(
                                     handle_.fd(), (epoll_interest(mask_) & EPOLLOUT) != 0,
                                     [weak = weak_from_this()] {
                                         if (const auto alive = weak.lock()) alive->on_edge(std::nullopt);
                                     },
                                     ec));
}

void local_registration::forget() noexcept
{
    if (has_entry()) poller_->forget(*this, handle_.fd());
    if (watch_ == nullptr) return;
    const auto stopped = poller_->replace(watch_, nullptr);
    stopped->stop();
}

// A holder that dies in the middle of a call may have disarmed an event, or received the data before it, without telling the
// owner. The process that finds the holder dead arms all events again; the owner watches, so that at least one process finds it.
void local_registration::watch_holders(membership& self)
{
    const std::uint32_t now = slot_.holder_changes.load();
    if (holders_seen_ == now) return;
    holders_seen_ = now;
    attachment_->deaths().watch_holders(self, handle_.socket().index);
}

std::uint32_t local_registration::end(entry its) noexcept
{
    if (inherited()) return 0;
    const std::scoped_lock lock(mutex_);
    const bool owner = phase_ == phase::owner || phase_ == phase::passing;
    if ((owner || phase_ == phase::made) && its == entry::removed) forget();
    poller_->dismiss(*this);
    phase_ = phase::ended;
    loss_.reset(); // cancelled: nothing tells of an earlier loss, for from now on the handle collects as any other
    loss_waits_.store(false);
    if (const auto alive = operations_.lock()) alive->ended();
    return owner ? epoch_ : 0;
}

void local_registration::cancel_for_good() noexcept
{
    error_code ec;
    attachment_->member(ec); // if other code has closed our descriptors, the registration is lost here, and no process is rung
    const phase before = state();
    if (before == phase::ended) return; // then there may be no handle any more
    const socket_and_handle which = which_;
    const std::uint32_t epoch     = end();
    membership* const self        = attachment_->member();
    if (self == nullptr) return;
    ec.clear(); // a stopped process holds the slot's lock: the handle has left the standby queue all the same
    if (epoch != 0) self->cancel(which.socket, epoch);
    if (before == phase::standing_by || before == phase::passing) self->stand_down(which, membership::turn_that_came::given_up, ec);
}

void local_registration::lose_identity()
{
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    if (phase_ == phase::owner || phase_ == phase::passing || phase_ == phase::standing_by) lose({});
}

void local_registration::joined_line() noexcept
{
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    in_line_ = true;
}

local_registration::origin local_registration::begin_passing() noexcept
{
    if (inherited()) return from_;
    const std::scoped_lock lock(mutex_);
    if (phase_ != phase::owner) return from_;
    phase_   = phase::passing;
    in_line_ = false;
    return from_.exchange(origin::line); // first: this handle must not collect the events that are recorded for the next owner
}

void local_registration::passed_on()
{
    if (inherited()) return;
    {
        const std::scoped_lock lock(mutex_);
        in_line_ = true;
        if (phase_ == phase::passing) {
            forget();
            phase_ = phase::standing_by;
            // Only now: pending operations go on if no handle stands by to take the registration.
            if (kind_ == registration_kind::operations) tell_operations(&operation_sink::passed_on);
        }
    }
    on_bell();
}

void local_registration::keep(origin from)
{
    if (inherited()) return;
    {
        const std::scoped_lock lock(mutex_);
        if (phase_ != phase::passing) return; // it has ended meanwhile
        phase_ = phase::owner;
        from_  = from;
    }
    on_bell(); // a ring or an edge may have come in between
}

std::uint32_t local_registration::epoch() const
{
    if (inherited()) return 0;
    const std::scoped_lock lock(mutex_);
    return phase_ == phase::owner ? epoch_ : 0;
}

bool local_registration::owns() const
{
    if (inherited()) return false;
    const std::scoped_lock lock(mutex_);
    const membership* const self = attachment_->member();
    return self != nullptr && phase_ == phase::owner && load(slot_.registration).owned_by(self->self().index, epoch_);
}

bool local_registration::stands(std::uint32_t mask, bool tell_loss, const event_poller& where) const
{
    if (inherited()) return false;
    const std::scoped_lock lock(mutex_);
    const membership* const self = attachment_->member();
    if (self == nullptr || phase_ != phase::owner || from_ != origin::select) return false; // a turn ends
    if (kind_ != registration_kind::event_select || mask_ != mask || tell_loss_ != tell_loss || poller_.get() != &where)
        return false;
    const registration_word word = load(slot_.registration);
    if (!word.owned_by(self->self().index, epoch_) || word.armed != word.mask || word.delivering != no_index) return false;
    const event_record record = load_record(slot_.record).at(epoch_);
    return record.events == 0 && !record.signal;
}

local_registration::phase local_registration::state() const
{
    if (inherited()) return phase::ended;
    const std::scoped_lock lock(mutex_);
    return phase_;
}

bool local_registration::delivers_in_this_thread() const
{
    if (inherited()) return false;
    const std::scoped_lock lock(mutex_);
    return delivering_ == std::this_thread::get_id();
}

void local_registration::select_likewise(handle& accepted, error_code& ec)
{
    if (kind_ == registration_kind::operations) return; // pending operations belong to the listener alone
    select_options options;
    options.tell_loss = tell_loss_;
    select(accepted, mask_, options, poller_, {sink_, {}, kind_}, ec);
}

std::optional<registration_loss> local_registration::take_loss()
{
    if (inherited()) return std::nullopt;
    const std::scoped_lock lock(mutex_);
    loss_waits_.store(false);
    return std::exchange(loss_, std::nullopt);
}

std::optional<std::uint32_t> local_registration::collects_only()
{
    if (inherited()) return std::nullopt;
    const std::scoped_lock lock(mutex_);
    const bool hears_of_loss = tell_loss_ || kind_ == registration_kind::operations;
    membership* const self   = attachment_->member();
    if (self == nullptr || phase_ == phase::ended || (from_ == origin::select && !hears_of_loss)) return std::nullopt;
    const registration_word word = load(slot_.registration);
    if (phase_ == phase::owner && !word.owned_by(self->self().index, epoch_)) lose(word);
    return phase_ == phase::owner ? epoch_ : 0;
}

void local_registration::make_way(error_code& ec)
{
    ec.clear();
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    if (watch_ == nullptr) return;
    const std::shared_ptr<descriptor_watch> before = watch_;
    watch(ec); // the descriptor is in the reactor already, so the sink watches a duplicate
    if (ec)
        poller_->replace(watch_, before);
    else
        before->stop(); // last: no edge is missed
}

bool local_registration::has_uncollected() const noexcept
{
    if (loss_waits_.load()) return true;
    const std::uint32_t epoch = recorded_epoch_.load();
    return epoch != 0 && load(slot_.registration).epoch == epoch && load_record(slot_.record).at(epoch).events != 0;
}

void local_registration::on_bell()
{
    if (inherited()) return;
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    const std::scoped_lock lock(mutex_);
    if (phase_ == phase::made) { // even if the word names this process, that is no turn: `begin` follows
        early_ = true;
        return;
    }
    if (phase_ == phase::passing) return; // `keep` or `passed_on` follows, and looks
    // Read before the word: a process that gives the turn changes the word first, and then takes the handle out of the queue.
    const bool out_of_line       = in_line_ && self->bytes().handle(handle_.which().handle.index)->standby_order.load() == 0;
    const registration_word word = load(slot_.registration);
    if (phase_ == phase::standing_by) {
        if (!promoted(*self, word)) {
            if (out_of_line) {
                lose(load(slot_.registration)); // its turn came, and another handle took over before this look
                return;
            }
            attachment_->deaths().watch_holders(*self, handle_.socket().index);
            return;
        }
        socket_table::take_turn(self->bytes(), handle_.which().handle.index); // the process that gave the turn may have died before
        phase_   = phase::owner;
        epoch_   = word.epoch;
        changed_ = 0;
        missed_  = false;
        error_code ec; // no memory for an epoll entry: the present events are still reported below
        watch(ec);
        if (kind_ == registration_kind::operations) become_owner();
    }
    if (phase_ != phase::owner) return;
    if (!word.owned_by(self->self().index, epoch_)) {
        lose(word);
        return;
    }
    watch_holders(*self);
    if (take_signal(slot_.record, epoch_)) signal_record(); // another process collected, or died before (ENUM-7)
    look_anew();
}

bool local_registration::promoted(const membership& self, const registration_word& word) const noexcept
{
    if (word.owner != self.self().index || !word.by_turn || word.epoch == epoch_) return false;
    const registration_details details = details_of(slot_); // if not entered yet, the process that enters it rings
    return details.epoch == word.epoch && details.handle == handle_.which().handle.index;
}

void local_registration::lose(const registration_word& now)
{
    forget();
    phase_ = phase::lost;
    if (kind_ == registration_kind::operations) tell_operations(&operation_sink::lost);
    if (!tell_loss_) return; // REG-10
    registration_loss loss{epoch_, {}};
    membership* const self = attachment_->member();
    if (self != nullptr && now.owned())
        if (const process_record* const owner = self->bytes().process(now.owner)) loss.owner = {now.owner, load(*owner).generation};
    loss_ = loss;
    if (!sink_) {
        loss_waits_.store(true);
        poller_->signal_for(*this);
        return;
    }
    schedule();
}

} // namespace sharedsock::detail
