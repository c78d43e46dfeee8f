// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// What a handle does about the events of its socket: it re-enables them for whoever owns them, in this process or another, and
// passes the bell on to its interest.
#include "attach/handle.hpp"
#include "events/local_registration.hpp"
#include "events/registering.hpp"

namespace sharedsock::detail {

void handle::on_bell()
{
    if (const auto mine = current_interest()) mine->on_bell();
}

void handle::re_enable_after_all()
{
    error_code ec;
    membership* const self = recent_member(ec);
    if (self == nullptr || !self->re_enable(slot(), socket().index, receive_events)) return;
    if (const auto mine = current_interest(); mine != nullptr && mine->owns()) { // as it mostly is
        mine->look_if_missed();
        return;
    }
    for (const auto& one : where().handles_of(socket().index))
        if (const auto owner = one->current_interest()) owner->look_if_missed();
}

void handle::re_enable(std::uint32_t events)
{
    error_code ec;
    membership* const self = recent_member(ec);
    if (self != nullptr && self->re_enable(slot(), socket().index, events)) look_here();
}

void handle::call_owner(std::uint32_t events)
{
    const registration_word word = load(slot().registration);
    if (!word.owned() || (word.mask & events) == 0) return;
    error_code ec;
    membership* const self = recent_member(ec);
    if (self != nullptr && self->call_owner(slot(), socket().index)) look_here();
}

// The owner is this process, through this handle or another one.
void handle::look_here()
{
    for (const auto& one : where().handles_of(socket().index))
        if (const auto owner = one->current_interest()) owner->look();
}

std::uint32_t end_interest(handle& closing) noexcept
{
    const auto mine = closing.current_interest();
    if (mine == nullptr) return 0;
    const std::uint32_t epoch = mine->end();
    closing.set_interest(nullptr);
    return epoch;
}

void inherit_registration(handle& listener, handle& accepted)
{
    for (const auto& one : listener.where().handles_of(listener.socket().index)) {
        const auto owner = one->current_interest();
        if (owner == nullptr || !owner->owns()) continue;
        error_code ec; // cannot be told through accept, which has succeeded: then the socket has no registration
        owner->select_likewise(accepted, ec);
        return;
    }
}

} // namespace sharedsock::detail
