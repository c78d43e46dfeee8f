// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/registering.hpp"

#include "events/urgent.hpp"

#include <cstdint>
#include <memory>
#include <utility>

#include <sys/socket.h>

namespace sharedsock::detail {
namespace {

// The first steps that may fail, before anything has changed (REG-19): adds the doorbell to the event poller, and makes the local
// registration.
std::shared_ptr<local_registration> prepare(handle& through, local_registration::origin from, std::uint32_t mask,
                                            const select_options& options, const std::shared_ptr<event_poller>& where,
                                            event_sink sink, error_code& ec)
{
    where->listen_to(through.where_ptr(), ec);
    if (ec) return nullptr;
    if ((mask & ev_oob) != 0) urgent::mind(through.slot());
    if ((mask & ev_changes) != 0 && (through.family() == AF_INET || through.family() == AF_INET6)) {
        error_code unsupported; // the bits are accepted all the same; the call that arms them reports it (EVT-25)
        where->listen_for_changes(unsupported);
    }
    return std::make_shared<local_registration>(through, from, mask, options.tell_loss, where, std::move(sink));
}

// The other handles of this process to the same socket look at the registration: one of them may have lost it. Other processes
// were rung.
void tell_siblings(handle& through)
{
    for (const auto& sibling : through.where().handles_of(through.socket().index))
        if (sibling.get() != &through) sibling->on_bell();
}

bool delivers_in_this_thread(handle& through)
{
    for (const auto& sibling : through.where().handles_of(through.socket().index))
        if (const auto one = registration_of(*sibling); one != nullptr && one->delivers_in_this_thread()) return true;
    return false;
}

} // namespace

std::uint32_t checked_mask(network_event mask, error_code& ec) noexcept
{
    ec.clear();
    if (any(mask & ~network_event::all)) ec = errc::bad_event_mask;
    return static_cast<std::uint32_t>(mask);
}

void select(handle& through, std::uint32_t mask, const select_options& options, const std::shared_ptr<event_poller>& where,
            event_sink sink, error_code& ec)
{
    membership* const self = through.recent_member(ec);
    if (self == nullptr) return;
    const auto before = registration_of(through);
    if (before != nullptr && sink.kind == registration_kind::event_select && before->stands(mask, options.tell_loss, *where))
        return;
    if (!through.where().keeps_descriptors()) { // looked at only now: a call that changes nothing touches no descriptor
        ec = through.why_closed();
        return;
    }
    const auto mine = prepare(through, local_registration::origin::select, mask, options, where, std::move(sink), ec);
    if (ec) return;
    // If the former registration has an entry for this descriptor in the same epoll, the new one takes that entry over below.
    const bool replaces = before != nullptr && before->where() == where && before->state() == local_registration::phase::owner &&
                          before->has_entry() && mine->has_entry();
    where->enlist(mine);
    if (!replaces) mine->watch(ec);
    if (ec) {
        mine->forget();
        where->dismiss(*mine);
        return;
    }

    if ((through.slot().flags.load() & flag_blocking) != 0) through.slot().flags.fetch_and(~flag_blocking); // REG-12
    const auto taken = self->take_over(through.which(), mask, static_cast<std::uint32_t>(mine->kind()));
    if (before != nullptr) {
        before->end(replaces ? local_registration::entry::kept : local_registration::entry::removed);
        // If the new registration is cancelled already, the handle may have got its turn in the standby queue, which `begin` would
        // not notice: give that turn up.
        error_code stopped; // a stopped process holds the slot's lock: the handle has left the standby queue all the same
        if (before->from() == local_registration::origin::line)
            self->stand_down(through.which(), membership::turn_that_came::given_up, stopped);
    }
    through.set_registration(mine);
    if (replaces) where->watch_instead(*mine, through.fd(), epoll_interest(mask), ec);
    mine->begin(taken.epoch);
    if (taken.loser == self->self().index) tell_siblings(through);
    const bool fences = mine->kind() != registration_kind::operations; // pending operations wait for the fence themselves
    if (ec || !taken.must_fence || !fences) return;

    // The fence: the former owner's delivery must end before this call returns. A handler that registers its own socket does not
    // wait for itself.
    const bool from_handler = (before != nullptr && before->delivers_in_this_thread()) || delivers_in_this_thread(through);
    const auto ended        = self->fence(through.socket(), taken.epoch, options.fence_limit, !from_handler);
    if (ended == membership::fence_state::pending) ec = errc::fence_pending;
    if (ended == membership::fence_state::ended) mine->look(); // the delivery kept `begin` from claiming (REG-7)
}

void stand_by(handle& through, std::uint32_t mask, const select_options& options, const std::shared_ptr<event_poller>& where,
              event_sink sink, error_code& ec)
{
    membership* const self = through.member(ec);
    if (self == nullptr) return;
    const auto before = registration_of(through);
    if (before != nullptr && before->owns()) { // its turn is now
        if (!before->delivers_to(sink.kind, *where)) select(through, mask, options, where, std::move(sink), ec);
        return;
    }
    const auto mine = prepare(through, local_registration::origin::line, mask, options, where, std::move(sink), ec);
    if (ec) return;
    where->enlist(mine); // may throw: nothing has changed yet
    const auto kind = static_cast<std::uint32_t>(mine->kind());
    self->stand_by(through.which(), mask | kind << standby_kind_shift, ec);
    if (ec) { // the former registration goes on, in its place in the standby queue (REG-19)
        where->dismiss(*mine);
        return;
    }
    through.slot().flags.fetch_and(~flag_blocking);
    if (before != nullptr) before->end();
    through.set_registration(mine);
    mine->joined_line();
    mine->on_bell(); // its turn may have come at once
}

void cancel(handle& through, error_code& ec)
{
    membership* const self = through.member(ec);
    if (self == nullptr) return;
    through.slot().flags.fetch_and(~flag_blocking);
    const auto mine = registration_of(through);
    if (mine != nullptr) through.end_registration(); // a handle is not told of the loss of a registration that it cancels itself
    if (mine != nullptr && mine->from() == local_registration::origin::line) {
        error_code stopped; // a stopped process holds the slot's lock: the handle has left the standby queue all the same
        self->stand_down(through.which(), membership::turn_that_came::kept, stopped);
    }
    self->cancel(through.socket()); // also a turn that came and was kept
    tell_siblings(through);
}

void inherit_registration(handle& listener, handle& accepted)
{
    for (const auto& one : listener.where().handles_of(listener.socket().index)) {
        const auto owner = registration_of(*one);
        if (owner == nullptr || !owner->owns()) continue;
        error_code ec; // the accept has succeeded and cannot report it: then the socket has no registration
        owner->select_likewise(accepted, ec);
        return;
    }
}

} // namespace sharedsock::detail
