// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// How a local registration delivers events: an edge or a ring says that there may be some, a look at the socket shows which, and
// each event is claimed in the registration word before it is delivered.
#include "events/connection_state.hpp"
#include "events/local_registration.hpp"
#include "events/socket_probe.hpp"
#include "layout/change_word.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace sharedsock::detail {
namespace {

event_record as_record(const detection& found, std::uint32_t events) noexcept
{
    event_record record;
    record.events = events;
    if ((events & ev_connect) != 0) record.connect_error = found.connect_error;
    if ((events & ev_close) != 0) record.close_error = found.close_error;
    return record;
}

// The order in which messages are posted: first beginnings, then data, then the end (ASYNC-6).
constexpr std::uint32_t message_order[] = {ev_connect, ev_accept,         ev_oob,           ev_read, ev_write,
                                           ev_close,   ev_routing_change, ev_address_change};

std::uint32_t first_message(std::uint32_t events) noexcept
{
    for (const std::uint32_t one : message_order)
        if ((events & one) != 0) return one;
    return 0;
}

} // namespace

// --- occasions to look ------------------------------------------------------------------------------------------------

void local_registration::on_edge(std::optional<std::uint32_t> shown)
{
    if (inherited()) return;
    std::unique_lock lock(mutex_);
    membership* const self = attachment_->member();
    if (self == nullptr) return;
    if (phase_ == phase::made || phase_ == phase::standing_by) early_ = true;
    if (phase_ != phase::owner) return;
    const registration_word word = load(slot_.registration);
    missed_                      = missed_ || (word.mask & ~word.armed) != 0;
    if (!sink_) {
        deliver_to_event_object(*self, shown);
        return;
    }
    again_ = true;
    if (std::exchange(scheduled_, true)) return;
    lock.unlock();
    sink_->dispatch(shared_from_this());
}

void local_registration::look()
{
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    if (phase_ == phase::made || phase_ == phase::standing_by) early_ = true;
    look_anew();
}

void local_registration::look_if_missed()
{
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    if (missed_) look_anew();
}

void local_registration::look_anew()
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

// --- to an event object -------------------------------------------------------------------------------------------------

void local_registration::signal_record() noexcept
{
    recorded_epoch_.store(epoch_);
    poller_->signal_for(*this);
}

void local_registration::deliver_to_event_object(membership& self, std::optional<std::uint32_t> shown)
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
    // The claim fails if another handle took over just now, or an earlier delivery is under way: the process that ends it rings.
    if (!self.claim(slot_, epoch_, found.happened)) return;
    connection_state::note_told(slot_, found.happened);
    if (record_events(slot_.record, epoch_, as_record(found, found.happened))) signal_record();
    self.finish(slot_, handle_.socket().index, epoch_, 0);
}

atomic_u32& local_registration::requests(std::uint32_t change) const noexcept
{
    return change == ev_routing_change ? slot_.routing_requests : slot_.address_requests;
}

void local_registration::on_change(const network_changes& heard)
{
    if (inherited()) return;
    const std::scoped_lock lock(mutex_);
    membership* const self = attachment_->member();
    if (self == nullptr || (phase_ != phase::owner && phase_ != phase::passing)) return;
    for (const std::uint32_t one : {ev_routing_change, ev_address_change})
        if ((heard.of(slot_.family) & mask_ & one) != 0 && load_requests(requests(one)).open()) changed_ |= one;
    if (changed_ == 0 || phase_ == phase::passing) return;
    if (sink_)
        schedule();
    else
        deliver_to_event_object(*self);
}

// A change of the network is no condition of the socket, so the registration word has no bit for it. But only the owner delivers
// it, as it does any event, and the fence covers the delivery.
void local_registration::deliver_changes(membership& self)
{
    for (const std::uint32_t one : {ev_routing_change, ev_address_change}) {
        if ((changed_ & one) == 0) continue;
        if (!self.begin_delivery(slot_, epoch_)) return; // an earlier delivery is under way: the process that ends it rings
        changed_ &= ~one;
        event_record record;
        record.events           = one;
        const change_word asked = load_requests(requests(one));
        if (asked.open() && record_events(slot_.record, epoch_, record)) signal_record();
        change_requests(requests(one), [&](const change_word& now) { return now.answering(asked); }); // last: see change_word
        self.finish(slot_, handle_.socket().index, epoch_, 0);
    }
}

// Begins the delivery of a change to a handler, if the program still asks for it.
bool local_registration::claim_change(membership& self, std::uint32_t one)
{
    if (!self.begin_delivery(slot_, epoch_)) return false;
    changed_ &= ~one;
    const change_word asked = load_requests(requests(one));
    change_requests(requests(one), [&](const change_word& now) { return now.answering(asked); });
    if (!asked.open()) self.finish(slot_, handle_.socket().index, epoch_, 0);
    return asked.open();
}

void local_registration::schedule()
{
    again_ = true;
    if (scheduled_) return;
    scheduled_ = true;
    sink_->post(shared_from_this());
}

void local_registration::run()
{
    if (inherited()) return;
    // Ends the delivery, also if the handler throws.
    struct delivery {
        local_registration& self;
        std::unique_lock<mutex>& lock;
        const record_id socket;
        const std::uint32_t epoch;
        delivery(local_registration& of, std::unique_lock<mutex>& held)
            : self(of), lock(held), socket(of.handle_.socket()), epoch(of.epoch_)
        {
            self.delivering_ = std::this_thread::get_id();
            lock.unlock(); // user code runs without any lock of the library (ASYNC-5)
        }
        ~delivery()
        {
            if (self.inherited()) return; // the handler forked, and this is the child: the parent ends the delivery
            lock.lock();
            self.delivering_         = {};
            membership* const member = self.attachment_->member();
            // If the handle was closed in between, that has ended the delivery, and the slot may be another socket's by now.
            if (member != nullptr && socket_table::find(member->bytes(), socket) != nullptr)
                member->finish(self.slot_, socket.index, epoch, 0);
        }
    };
    std::unique_lock lock(mutex_);
    if (phase_ == phase::lost && loss_) {
        event_message message;
        message.socket = socket_number_;
        message.error  = errc::registration_cancelled;
        message.epoch  = std::exchange(loss_, std::nullopt)->epoch;
        scheduled_     = false;
        lock.unlock();
        lock_ranks::expect_none("a handler runs");
        sink_->call(message);
        return;
    }
    struct job { // ends this job, and schedules another one if there is more to look at
        local_registration& self;
        std::unique_lock<mutex>& lock;
        ~job()
        {
            if (self.inherited()) return; // the mutex is the parent's, which goes on
            self.scheduled_ = false;
            if (self.again_ && (self.phase_ == phase::owner || self.loss_)) self.schedule();
        }
    } const this_job{*this, lock};

    again_ = false;
    // A job delivers each event at most once: an event that its handler re-enables waits for the next job. It delivers the first
    // event that a look shows. It looks again if that look had shown more, for the handler may have changed that, or if it was
    // CONNECT, for WRITE may follow a moment later. Every later event makes an edge, and so another job.
    for (std::uint32_t left = registration_word::event_bits | ev_changes; left != 0;) {
        membership* const self = attachment_->member();
        if (self == nullptr || phase_ != phase::owner) return;
        const registration_word word = load(slot_.registration);
        if (!word.owned_by(self->self().index, epoch_)) {
            lose(word);
            return;
        }
        const detection found   = (word.armed & left) != 0 ? look_at(handle_.fd(), slot_, word) : detection{};
        const std::uint32_t one = first_message((found.happened | changed_) & left);
        if (one == 0) return;
        left &= ~one;
        if (((found.happened | changed_) & left) == 0 && one != ev_connect) left = 0;
        if ((one & ev_changes) != 0) {
            if (!claim_change(*self, one)) continue;
        } else {
            if (!self->claim(slot_, epoch_, one)) continue;
            connection_state::note_told(slot_, one);
        }
        event_message message;
        message.socket  = socket_number_;
        message.event   = static_cast<network_event>(one);
        message.epoch   = epoch_;
        const int error = one == ev_connect ? found.connect_error : one == ev_close ? found.close_error : 0;
        if (error != 0) message.error = told_error(error);
        {
            const delivery under_way(*this, lock);
            lock_ranks::expect_none("a handler runs");
            sink_->call(message);
        }
        if (inherited()) return;
    }
}

} // namespace sharedsock::detail
