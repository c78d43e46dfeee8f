// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/re_enabling.hpp"

#include "events/local_registration.hpp"

namespace sharedsock::detail {
namespace {

// The owner is a handle of this process: `h` or another one.
void look_here(handle& h)
{
    for (const auto& one : h.where().handles_of(h.socket().index))
        if (const auto owner = registration_of(*one)) owner->look();
}

} // namespace

void re_enable_after_all(handle& h)
{
    error_code ec;
    membership* const self = h.recent_member(ec);
    if (self == nullptr || !self->re_enable(h.slot(), h.socket().index, receive_events)) return;
    if (const auto mine = registration_of(h); mine != nullptr && mine->owns()) { // the usual case
        mine->look_if_missed();
        return;
    }
    for (const auto& one : h.where().handles_of(h.socket().index))
        if (const auto owner = registration_of(*one)) owner->look_if_missed();
}

void re_enable(handle& h, std::uint32_t events)
{
    error_code ec;
    membership* const self = h.recent_member(ec);
    if (self != nullptr && self->re_enable(h.slot(), h.socket().index, events)) look_here(h);
}

void call_owner(handle& h, std::uint32_t events)
{
    const registration_word word = load(h.slot().registration);
    if (!word.owned() || (word.mask & events) == 0) return;
    error_code ec;
    membership* const self = h.recent_member(ec);
    if (self != nullptr && self->call_owner(h.slot(), h.socket().index)) look_here(h);
}

} // namespace sharedsock::detail
