// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The event calls of `shared_socket` (REG, ENUM).
#include "events/connection_state.hpp"
#include "events/registering.hpp"
#include "events/socket_probe.hpp"
#include "layout/change_word.hpp"
#include "tables/process_table.hpp"

#include <sharedsock/shared_socket.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

#include <sys/socket.h>

namespace sharedsock {
namespace {

using detail::handle;
using detail::membership;

bool usable(const event_object& object, error_code& ec) noexcept
{
    if (object.poller() != nullptr && object.poller()->native_handle() >= 0) return true;
    ec = errc::bad_event_object;
    return false;
}

// The registration as it is now. A dead owner owns no events, even if no process has swept it yet (REG-18).
detail::registration_word living_registration(membership& self, const detail::socket_slot& slot) noexcept
{
    const detail::registration_word word = detail::load(slot.registration);
    if (!word.owned() || !self.sweep_if_dead(word.owner)) return word;
    return detail::load(slot.registration);
}

// Another process owns the registration and collects by itself; but the record belongs to the socket (ENUM-7). So this process
// looks, on the owner's behalf, for events that the owner has not looked at yet: it disarms and records them, and rings the
// owner, which signals its event object.
void look_for_owner(handle& through, membership& self, const detail::registration_word& word)
{
    detail::socket_slot& slot = through.slot();
    const auto details        = detail::details_of(slot);
    const bool records = details.epoch != word.epoch || details.kind == static_cast<std::uint32_t>(registration_kind::event_select);
    if (!records || word.armed == 0) return; // ENUM-8
    const detail::detection found = detail::look_at(through.fd(), slot, word);
    const std::uint32_t happened  = found.happened;
    if (happened == 0) return;
    const auto disarmed =
        detail::change(slot.registration, [&](const detail::registration_word& now) -> std::optional<detail::registration_word> {
            if (now.epoch != word.epoch || (now.armed & happened) != happened) return std::nullopt; // the owner was faster
            detail::registration_word next = now;
            next.armed &= ~happened;
            return next;
        });
    if (!disarmed) return;
    detail::connection_state::note_told(slot, happened);
    detail::event_record record;
    record.signal = true;
    record.events = happened;
    if ((happened & detail::ev_connect) != 0) record.connect_error = found.connect_error;
    if ((happened & detail::ev_close) != 0) record.close_error = found.close_error;
    detail::record_events(slot.record, word.epoch, record);
    self.ring(word.owner, through.socket().index);
}

} // namespace

void shared_socket::event_select(event_object& ready, network_event mask, const select_options& options, error_code& ec)
{
    handle* const mine = checked(impl_, ec);
    if (mine == nullptr) return;
    const std::uint32_t bits = detail::checked_mask(mask, ec);
    if (ec) return;
    if (bits == 0)
        detail::cancel(*mine, ec); // REG-5: the event object is ignored
    else if (usable(ready, ec))
        detail::select(*mine, bits, options, ready.poller(), {}, ec);
}

void shared_socket::event_select(event_object& ready, network_event mask, const select_options& options)
{
    detail::or_throw("sharedsock::shared_socket::event_select", [&](error_code& ec) { event_select(ready, mask, options, ec); });
}

bool shared_socket::fence(std::chrono::nanoseconds limit, error_code& ec)
{
    handle* const mine     = checked(impl_, ec);
    membership* const self = mine != nullptr ? mine->member(ec) : nullptr;
    if (self == nullptr) return false;
    const auto registered = registration_of(*mine);
    if (registered == nullptr || registered->epoch() == 0) {
        ec = errc::not_the_owner;
        return false;
    }
    const auto state = self->fence(mine->socket(), registered->epoch(), limit, !registered->delivers_in_this_thread());
    if (state == membership::fence_state::lost) ec = errc::registration_cancelled;
    if (state == membership::fence_state::ended) registered->look();
    return state == membership::fence_state::ended;
}

void shared_socket::cancel_registration(error_code& ec)
{
    if (handle* const mine = checked(impl_, ec)) detail::cancel(*mine, ec);
}

void shared_socket::cancel_registration()
{
    detail::or_throw("sharedsock::shared_socket::cancel_registration", [&](error_code& ec) { cancel_registration(ec); });
}

void shared_socket::stand_by(event_object& ready, network_event mask, const select_options& options, error_code& ec)
{
    handle* const mine = checked(impl_, ec);
    if (mine == nullptr) return;
    const std::uint32_t bits = detail::checked_mask(mask, ec);
    if (ec) return;
    if (bits != 0) {
        if (usable(ready, ec)) detail::stand_by(*mine, bits, options, ready.poller(), {}, ec);
        return;
    }
    const auto registered = registration_of(*mine);
    if (registered == nullptr || registered->state() != detail::local_registration::phase::standing_by) return;
    membership* const self = mine->member(ec);
    if (self == nullptr) return;
    self->stand_down(mine->which(), membership::turn_that_came::given_up, ec);
    if (!ec) mine->end_registration();
}

void shared_socket::stand_by(event_object& ready, network_event mask, const select_options& options)
{
    detail::or_throw("sharedsock::shared_socket::stand_by", [&](error_code& ec) { stand_by(ready, mask, options, ec); });
}

bool shared_socket::pass_on(error_code& ec)
{
    handle* const mine     = checked(impl_, ec);
    membership* const self = mine != nullptr ? mine->member(ec) : nullptr;
    if (self == nullptr) return false;
    const auto registered = registration_of(*mine);
    if (registered != nullptr && registered->state() == detail::local_registration::phase::standing_by)
        registered->on_bell(); // this handle's turn may have begun
    const std::uint32_t epoch = registered != nullptr ? registered->epoch() : 0;
    if (epoch == 0) {
        ec = errc::not_the_owner;
        return false;
    }
    const auto from   = registered->begin_passing(); // before it passes on: its turn may come again at once
    const bool passed = self->pass_on(mine->which(), epoch, ec);
    if (passed)
        registered->passed_on();
    else
        registered->keep(from);
    return passed;
}

bool shared_socket::pass_on()
{
    return detail::or_throw("sharedsock::shared_socket::pass_on", [&](error_code& ec) { return pass_on(ec); });
}

void shared_socket::request_change(network_event which, error_code& ec)
{
    handle* const mine = checked(impl_, ec);
    if (mine == nullptr || mine->member(ec) == nullptr) return;
    const auto changes = network_event::routing_interface_change | network_event::address_list_change;
    if (!any(which) || any(which & ~changes)) {
        ec = errc::bad_event_mask;
        return;
    }
    if (mine->family() != AF_INET && mine->family() != AF_INET6) {
        ec.assign(EOPNOTSUPP, boost::system::system_category());
        return;
    }
    detail::route_listener probe; // the owner opened its own when it registered, perhaps in another process
    probe.open(ec);
    if (ec) return;
    // Route changes that this process has heard already came before the request.
    for (const auto& one : mine->where().handles_of(mine->socket().index))
        if (const auto registered = registration_of(*one); registered && !ec) ec = registered->where()->pump();
    if (ec) return;
    const auto request = [&](network_event one, detail::atomic_u32& requests) {
        if (any(which & one)) detail::change_requests(requests, [](const detail::change_word& now) { return now.with_request(); });
    };
    request(network_event::routing_interface_change, mine->slot().routing_requests);
    request(network_event::address_list_change, mine->slot().address_requests);
}

void shared_socket::request_change(network_event which)
{
    detail::or_throw("sharedsock::shared_socket::request_change", [&](error_code& ec) { request_change(which, ec); });
}

network_events shared_socket::enum_network_events(event_object* ready, error_code& ec)
{
    network_events collected;
    handle* const mine     = checked(impl_, ec);
    membership* const self = mine != nullptr ? mine->member(ec) : nullptr;
    if (self == nullptr || (ready != nullptr && !usable(*ready, ec))) return collected;
    detail::socket_slot& slot            = mine->slot();
    const detail::registration_word word = living_registration(*self, slot);
    const bool own                       = word.owned() && word.owner == self->self().index;
    if (ready != nullptr) ec = ready->poller()->pump(); // so that it signals before the reset, and not after it
    if (ec) return collected;
    if (own) {
        // The pump above has looked for a registration that signals through `ready`; this looks for any other.
        for (const auto& one : mine->where().handles_of(mine->socket().index))
            if (const auto owner = registration_of(*one);
                owner != nullptr && (ready == nullptr || owner->where() != ready->poller()))
                owner->look();
    }
    // A handle that takes turns, or hears of its losses, collects only the events that its own registration has recorded: events
    // that it took from another registration would be missing there (ENUM-7, ENUM-10).
    const auto registered = registration_of(*mine);
    std::optional<std::uint32_t> only;
    if (registered != nullptr) only = registered->collects_only();
    if (!own && word.owned() && !only) look_for_owner(*mine, *self, word);
    if (registered != nullptr) collected.lost = registered->take_loss();
    detail::event_record record;
    const auto collect = [&] {
        const detail::registration_word now = detail::load(slot.registration);
        if (only && now.epoch != *only) return;
        record = detail::collect_events(slot.record, now.epoch, now.owner == self->self().index);
    };
    if (ready != nullptr)
        ready->poller()->reset_after(collect);
    else
        collect();
    collected.occurred  = static_cast<network_event>(record.events);
    collected.errors[4] = record.connect_error;
    collected.errors[5] = record.close_error;
    collected.errors[8] = record.routing_error;
    return collected;
}

network_events shared_socket::enum_network_events(event_object& ready)
{
    return detail::or_throw("sharedsock::shared_socket::enum_network_events",
                            [&](error_code& ec) { return enum_network_events(&ready, ec); });
}

network_events shared_socket::enum_network_events()
{
    return detail::or_throw("sharedsock::shared_socket::enum_network_events",
                            [&](error_code& ec) { return enum_network_events(nullptr, ec); });
}

std::optional<registration_info> shared_socket::registration() const
{
    error_code ec;
    handle* const mine     = checked(impl_, ec);
    membership* const self = mine != nullptr ? mine->member(ec) : nullptr;
    detail::throw_if(ec, "sharedsock::shared_socket::registration");
    const detail::socket_slot& slot      = mine->slot();
    const detail::registration_word word = living_registration(*self, slot);
    if (!word.owned()) return std::nullopt;
    registration_info info;
    info.epoch      = word.epoch;
    info.mask       = static_cast<network_event>(word.mask);
    info.delivering = word.delivering != detail::no_index;
    if (const detail::process_record* const owner = self->bytes().process(word.owner))
        info.owner = {word.owner, load(*owner).generation};
    if (const auto details = detail::details_of(slot); details.epoch == word.epoch) {
        info.kind = static_cast<registration_kind>(details.kind);
        info.mask |= static_cast<network_event>(details.high_mask << 6);
        info.since_ns = slot.registered_ns.load();
        if (const detail::handle_record* const record = self->bytes().handle(details.handle))
            info.handle = detail::record_id{details.handle, load(*record).generation}.as_number();
    }
    return info;
}

} // namespace sharedsock
