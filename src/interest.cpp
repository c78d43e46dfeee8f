// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "interest.hpp"

#include "change_word.hpp"
#include "observer.hpp"
#include "select.hpp"
#include "urgent.hpp"

#include <atomic>

#include <sys/epoll.h>

namespace sharedsock::detail {
namespace {

std::uint64_t next_id() noexcept // 0 to 2 are the watcher's own
{
    static std::atomic<std::uint64_t> last{2};
    return last.fetch_add(1) + 1;
}

event_record as_record(const detection& found, std::uint32_t events) noexcept
{
    event_record record;
    record.events = events;
    if ((events & ev_connect) != 0) record.connect_error = found.connect_error;
    if ((events & ev_close) != 0) record.close_error = found.close_error;
    return record;
}

// The order in which messages are posted: what begins, what goes on, what ends (ASYNC-6).
constexpr std::uint32_t message_order[] = {ev_connect, ev_accept, ev_oob, ev_read, ev_write, ev_close, ev_routing_change, ev_address_change};

std::uint32_t first_message(std::uint32_t events) noexcept
{
    for (const std::uint32_t one : message_order)
        if ((events & one) != 0) return one;
    return 0;
}

} // namespace

detection look_at(int descriptor, socket_slot& slot, const registration_word& word, std::optional<std::uint32_t> shown) noexcept
{
    detection found = detect(observe(descriptor, slot, word.mask, shown), word.mask);
    if (found.peer_ended && (slot.flags.load() & flag_peer_ended) == 0) slot.flags.fetch_or(flag_peer_ended);
    found.happened &= word.armed;
    return found;
}

void note_told(socket_slot& slot, std::uint32_t events) noexcept
{
    if ((events & ev_connect) == 0) return;
    std::uint32_t seen = slot.connect_state.load();
    const connect_word attempt = connect_word::decode(seen);
    if (attempt.phase == connect_phase::connected)
        slot.connect_state.compare_exchange_strong(seen, connect_word{connect_phase::told, 0}.encode());
    if (attempt.phase == connect_phase::failed)
        slot.connect_state.compare_exchange_strong(seen, connect_word{connect_phase::told_failed, attempt.error}.encode());
}

interest::interest(handle& through, origin from, std::uint32_t mask, bool tell_loss, std::shared_ptr<watcher> where,
                   event_sink sink)
    : id_(next_id()), from_(from), handle_(through), which_(through.which()), attachment_(through.where_ptr()), slot_(through.slot()),
      socket_number_(through.socket().as_number()), mask_(mask), tell_loss_(tell_loss), watcher_(std::move(where)), kind_(sink.kind),
      sink_(std::move(sink.messages)), operations_(std::move(sink.operations))
{
}

void interest::begin(std::uint32_t epoch)
{
    const std::scoped_lock lock(mutex_);
    phase_ = phase::owner;
    epoch_ = epoch;
    changed_ = 0;
    missed_  = false;
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    if (const registration_word word = load(slot_.registration); !word.owned_by(self->self().index, epoch_))
        lose(word);
    else if (kind_ == registration_kind::operations)
        become_owner();
    else if (std::exchange(early_, false) || urgent::kept(slot_)) // what is kept in the slot makes no edge
        look_anew();
    watch_holders(*self);
}

void interest::become_owner()
{
    if (const auto alive = operations_.lock()) alive->became_owner(epoch_);
}

void interest::tell_operations(void (operation_sink::*what)())
{
    if (const auto alive = operations_.lock()) (alive.get()->*what)();
}

void interest::watch(error_code& ec)
{
    ec.clear();
    if (has_entry())
        watcher_->watch(shared_from_this(), handle_.fd(), epoll_interest(mask_), ec);
    else if (sink_)
        watch_ = sink_->watch(
            handle_.fd(), (epoll_interest(mask_) & EPOLLOUT) != 0,
            [weak = weak_from_this()] {
                if (const auto alive = weak.lock()) alive->on_edge(std::nullopt);
            },
            ec);
}

void interest::forget() noexcept
{
    if (has_entry()) watcher_->forget(*this, handle_.fd());
    if (watch_ != nullptr) watch_->stop();
    watch_.reset();
}

// A holder that dies in the middle of a call may have disarmed an event, or taken what was before it, and told nobody. Whoever
// finds it dead arms all events again; so that somebody does, the owner watches.
void interest::watch_holders(membership& self)
{
    const std::uint32_t now = slot_.holder_changes.load();
    if (holders_seen_ == now) return;
    holders_seen_ = now;
    attachment_->deaths().watch_holders(self, handle_.socket().index);
}

std::uint32_t interest::end(entry its) noexcept
{
    const std::scoped_lock lock(mutex_);
    const bool owner = phase_ == phase::owner;
    if (owner && its == entry::removed) forget();
    watcher_->dismiss(*this);
    phase_ = phase::ended;
    if (const auto alive = operations_.lock()) alive->ended();
    return owner ? epoch_ : 0;
}

void interest::cancel_for_good() noexcept
{
    const phase before = state();
    if (before == phase::ended) return; // then there may be no handle any more
    const socket_and_handle which = which_;
    const std::uint32_t epoch = end();
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    error_code ec; // of a slot that stays locked: we are out of the line all the same
    if (epoch != 0) self->cancel(which.socket, epoch);
    if (before == phase::standing_by) self->stand_down(which, ec, true);
}

void interest::lose_identity()
{
    const std::scoped_lock lock(mutex_);
    if (phase_ == phase::owner || phase_ == phase::standing_by) lose({});
}

void interest::stand_by_again() noexcept
{
    const std::scoped_lock lock(mutex_);
    if (phase_ != phase::owner) return;
    forget();
    phase_ = phase::standing_by;
    if (kind_ == registration_kind::operations) tell_operations(&operation_sink::passed_on);
    in_line_ = false;
}

void interest::joined_line() noexcept
{
    const std::scoped_lock lock(mutex_);
    in_line_ = true;
}

void interest::go_on(std::uint32_t epoch)
{
    error_code ec; // no memory for an epoll entry that was there a moment ago: what is true now is still reported
    watch(ec);
    begin(epoch);
    look();
}

std::uint32_t interest::epoch() const
{
    const std::scoped_lock lock(mutex_);
    return phase_ == phase::owner ? epoch_ : 0;
}

bool interest::owns() const
{
    const std::scoped_lock lock(mutex_);
    const membership* const self = attachment_->member();
    return self != nullptr && phase_ == phase::owner && load(slot_.registration).owned_by(self->self().index, epoch_);
}

bool interest::stands(std::uint32_t mask, bool tell_loss, const watcher& where) const
{
    const std::scoped_lock lock(mutex_);
    const membership* const self = attachment_->member();
    if (self == nullptr || phase_ != phase::owner || from_ != origin::select) return false; // a turn is not for good
    if (kind_ != registration_kind::event_select || mask_ != mask || tell_loss_ != tell_loss || watcher_.get() != &where) return false;
    const registration_word word = load(slot_.registration);
    if (!word.owned_by(self->self().index, epoch_) || word.armed != word.mask || word.delivering != no_index) return false;
    const event_record record = load_record(slot_.record).at(epoch_);
    return record.events == 0 && !record.signal;
}

interest::phase interest::state() const
{
    const std::scoped_lock lock(mutex_);
    return phase_;
}

bool interest::delivers_in_this_thread() const
{
    const std::scoped_lock lock(mutex_);
    return delivering_ == std::this_thread::get_id();
}

void interest::select_likewise(handle& accepted, error_code& ec)
{
    if (kind_ == registration_kind::operations) return; // its operations are the listener's own
    select_options options;
    options.tell_loss = tell_loss_;
    select(accepted, mask_, options, watcher_, {sink_, {}, kind_}, ec);
}

std::optional<registration_loss> interest::take_loss()
{
    const std::scoped_lock lock(mutex_);
    loss_waits_.store(false);
    return std::exchange(loss_, std::nullopt);
}

bool interest::has_uncollected() const noexcept
{
    if (loss_waits_.load()) return true;
    const std::uint32_t epoch = recorded_epoch_.load();
    return epoch != 0 && load(slot_.registration).epoch == epoch && load_record(slot_.record).at(epoch).events != 0;
}

void interest::signal_record() noexcept
{
    recorded_epoch_.store(epoch_);
    watcher_->signal_for(*this);
}

void interest::on_edge(std::optional<std::uint32_t> shown)
{
    std::unique_lock lock(mutex_);
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    if (phase_ == phase::standing_by) early_ = true;
    if (phase_ != phase::owner) return;
    const registration_word word = load(slot_.registration);
    missed_ = missed_ || (word.mask & ~word.armed) != 0;
    if (!sink_) {
        deliver_to_event_object(*self, shown);
        return;
    }
    again_ = true;
    if (std::exchange(scheduled_, true)) return;
    lock.unlock();
    sink_->dispatch(shared_from_this());
}

void interest::look()
{
    const std::scoped_lock lock(mutex_);
    if (phase_ == phase::standing_by) early_ = true;
    look_anew();
}

void interest::look_if_missed()
{
    const std::scoped_lock lock(mutex_);
    if (missed_) look_anew();
}

void interest::look_anew()
{
    membership* const self = attachment_->member();
    if (self == nullptr || phase_ != phase::owner) return;
    missed_ = false;
    if (kind_ == registration_kind::operations) {
        tell_operations(&operation_sink::look_again);
    } else if (sink_) {
        schedule();
    } else {
        deliver_to_event_object(*self);
    }
}

void interest::on_bell()
{
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    const std::scoped_lock lock(mutex_);
    // Before the word: whoever makes us owner changes that first, and then takes us out of the line.
    const bool out_of_line = in_line_ && self->bytes().handle(handle_.which().handle.index)->standby_order.load() == 0;
    const registration_word word = load(slot_.registration);
    if (phase_ == phase::standing_by) {
        if (!promoted(*self, word)) {
            if (out_of_line) {
                lose(word); // its turn came, and somebody took it over before we looked
                return;
            }
            attachment_->deaths().watch_holders(*self, handle_.socket().index);
            return;
        }
        socket_table::leave_line(self->bytes(), handle_.which().handle.index); // whoever made us owner may have died before that
        phase_   = phase::owner;
        epoch_   = word.epoch;
        changed_ = 0;
        missed_  = false;
        error_code ec; // no memory for an epoll entry: what is true now is still reported below
        watch(ec);
        if (kind_ == registration_kind::operations) become_owner();
    }
    if (phase_ != phase::owner) return;
    if (!word.owned_by(self->self().index, epoch_)) {
        lose(word);
        return;
    }
    watch_holders(*self);
    if (take_signal(slot_.record, epoch_)) signal_record(); // somebody else collected, or died before that (ENUM-7)
    look_anew();
}

bool interest::promoted(const membership& self, const registration_word& word) const noexcept
{
    if (word.owner != self.self().index || word.epoch == epoch_) return false;
    const registration_details details = registration_details::decode(slot_.details.load());
    if (details.epoch == word.epoch) return details.handle == handle_.which().handle.index;
    // Whoever made us owner died before it could write the details. Of our handles that stand by it is the one that does not
    // stand in line any more, or the first.
    const std::uint32_t first = socket_table::first_in_line(self.bytes(), handle_.socket().index);
    const handle_record* const record = self.bytes().handle(handle_.which().handle.index);
    return record->standby_order.load() == 0 || first == handle_.which().handle.index;
}

void interest::lose(const registration_word& now)
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
        watcher_->signal_for(*this);
        return;
    }
    schedule();
}

void interest::deliver_to_event_object(membership& self, std::optional<std::uint32_t> shown)
{
    const registration_word word = load(slot_.registration);
    if (!word.owned_by(self.self().index, epoch_)) {
        lose(word);
        return;
    }
    if (changed_ != 0) deliver_changes(self);
    if (word.armed == 0) return;
    const detection found = look_at(handle_.fd(), slot_, word, shown);
    if (found.happened == 0) return;
    // Not possible if somebody took over just now, or an earlier delivery is still under way: whoever ends it rings.
    if (!self.claim(slot_, epoch_, found.happened)) return;
    note_told(slot_, found.happened);
    if (record_events(slot_.record, epoch_, as_record(found, found.happened))) signal_record();
    self.finish(slot_, handle_.socket().index, epoch_, 0);
}

atomic_u32& interest::requests(std::uint32_t change) const noexcept
{
    return change == ev_routing_change ? slot_.routing_requests : slot_.address_requests;
}

void interest::on_change(const network_changes& heard)
{
    const std::scoped_lock lock(mutex_);
    membership* const self = attachment_->member();
    if (self == nullptr || phase_ != phase::owner) return;
    for (const std::uint32_t one : {ev_routing_change, ev_address_change})
        if ((heard.of(slot_.family) & mask_ & one) != 0 && load_requests(requests(one)).open()) changed_ |= one;
    if (changed_ == 0) return;
    if (sink_)
        schedule();
    else
        deliver_to_event_object(*self);
}

// A change is no condition of the socket, so nothing in the registration word stands for it; but its delivery is one like any
// other: only the owner's, and covered by the fence.
void interest::deliver_changes(membership& self)
{
    for (const std::uint32_t one : {ev_routing_change, ev_address_change}) {
        if ((changed_ & one) == 0) continue;
        if (!self.begin_delivery(slot_, epoch_)) return; // an earlier one is under way: whoever ends it rings
        changed_ &= ~one;
        event_record record;
        record.events = one;
        const change_word asked = load_requests(requests(one));
        if (asked.open() && record_events(slot_.record, epoch_, record)) signal_record();
        change_requests(requests(one), [&](const change_word& now) { return now.answering(asked); }); // last: see change_word
        self.finish(slot_, handle_.socket().index, epoch_, 0);
    }
}

// Begins the delivery of a change to a handler, if it is still asked for.
bool interest::claim_change(membership& self, std::uint32_t one)
{
    if (!self.begin_delivery(slot_, epoch_)) return false;
    changed_ &= ~one;
    const change_word asked = load_requests(requests(one));
    change_requests(requests(one), [&](const change_word& now) { return now.answering(asked); });
    if (!asked.open()) self.finish(slot_, handle_.socket().index, epoch_, 0);
    return asked.open();
}

void interest::schedule()
{
    again_ = true;
    if (scheduled_) return;
    scheduled_ = true;
    sink_->post(shared_from_this());
}

void interest::run()
{
    // Ends a delivery also when the handler throws.
    struct delivery {
        interest& self;
        std::unique_lock<std::mutex>& lock;
        const record_id socket;
        const std::uint32_t epoch;
        delivery(interest& of, std::unique_lock<std::mutex>& held) : self(of), lock(held), socket(of.handle_.socket()), epoch(of.epoch_)
        {
            self.delivering_ = std::this_thread::get_id();
            lock.unlock(); // user code runs without any lock of ours (ASYNC-5)
        }
        ~delivery()
        {
            lock.lock();
            self.delivering_ = {};
            membership* const member = self.attachment_->member();
            // A handle that was closed in between has ended it; then the slot may be another socket's by now.
            if (member != nullptr && socket_table::find(member->bytes(), socket) != nullptr)
                member->finish(self.slot_, socket.index, epoch, 0);
        }
    };
    std::unique_lock lock(mutex_);
    if (phase_ == phase::lost && loss_) {
        event_message message;
        message.socket = socket_number_;
        message.error = errc::registration_cancelled;
        message.epoch = std::exchange(loss_, std::nullopt)->epoch;
        scheduled_ = false;
        lock.unlock();
        sink_->call(message);
        return;
    }
    struct job { // the end of this job: another one follows if there is more to look at
        interest& self;
        std::unique_lock<std::mutex>& lock;
        ~job()
        {
            self.scheduled_ = false;
            if (self.again_ && (self.phase_ == phase::owner || self.loss_)) self.schedule();
        }
    } const this_job{*this, lock};

    again_ = false;
    // Each event at most once: what its handler re-enables waits for the next job. The first of what one look shows; then another
    // look if it has shown more, for the handler may have changed that, or CONNECT, with which WRITE may come a moment later.
    // Whatever else becomes true is an edge, and another job.
    for (std::uint32_t left = registration_word::event_bits | ev_changes; left != 0;) {
        membership* const self = attachment_->member();
        if (self == nullptr || phase_ != phase::owner) return;
        const registration_word word = load(slot_.registration);
        if (!word.owned_by(self->self().index, epoch_)) {
            lose(word);
            return;
        }
        const detection found =
            (word.armed & left) != 0 ? look_at(handle_.fd(), slot_, word) : detection{};
        const std::uint32_t one = first_message((found.happened | changed_) & left);
        if (one == 0) return;
        left &= ~one;
        if (((found.happened | changed_) & left) == 0 && one != ev_connect) left = 0;
        if ((one & ev_changes) != 0) {
            if (!claim_change(*self, one)) continue;
        } else {
            if (!self->claim(slot_, epoch_, one)) continue;
            note_told(slot_, one);
        }
        event_message message;
        message.socket = socket_number_;
        message.event = static_cast<network_event>(one);
        message.epoch = epoch_;
        const int error = one == ev_connect ? found.connect_error : one == ev_close ? found.close_error : 0;
        if (error != 0) message.error.assign(error, boost::system::system_category());
        const delivery under_way(*this, lock);
        sink_->call(message);
    }
}

} // namespace sharedsock::detail
