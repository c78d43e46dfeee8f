// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/public_operations.hpp"

#include <chrono>
#include <stdexcept>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace test {
namespace {

using v = victim;

constexpr auto all_events = ss::network_event::read | ss::network_event::write | ss::network_event::close;

void own(v& of) { of.own(); }
bool owns(v& of) { return of.owns(); }
bool rival_owns(v& of) { return of.rivals.registration() && of.rivals.registration()->owner == of.rival.self(); }

// The victim owns the events from then on, though a delivery of the former owner does not end.
void take_over_in_delivery(v& of)
{
    ss::error_code ec;
    of.socket.event_select(of.event, all_events, {.fence_limit = 2ms}, ec);
    if (ec && ec != ss::errc::fence_pending) throw ss::system_error(ec);
    if (of.socket.fence(1ms, ec) || ec) throw std::runtime_error("a delivery has ended, or the registration was lost");
}

void wait_and_collect(v& of)
{
    if (!of.event.wait(10s)) throw std::runtime_error("not signalled");
    of.socket.enum_network_events(of.event);
}

} // namespace

void add_event_operations(operation_map& all)
{
    all["make an event object"] = {.act   = [](v& of) { of.other_event = ss::event_object(); },
                                   .holds = [](v& of) { return of.other_event.native_handle() >= 0; }};
    all["register"] = {.prepare = &v::hold, .act = [](v& of) { of.socket.event_select(of.event, all_events); }, .holds = owns};
    all["register again"] = {
        .prepare = own, .act = [](v& of) { of.socket.event_select(of.event, ss::network_event::read); }, .holds = owns};
    all["register with another object"] = {
        .prepare = own, .act = [](v& of) { of.socket.event_select(of.other_event, all_events); }, .holds = owns};
    all["register for changes of the network"] = {.prepare = [](v& of) { of.listen(); },
                                                  .act =
                                                      [](v& of) {
                                                          constexpr auto change = ss::network_event::address_list_change;
                                                          of.listener.event_select(of.event, change);
                                                          of.listener.request_change(change);
                                                      }};
    all["take over in a delivery"]             = {
                    .prepare = [](v& of) { of.hold(), of.rival_delivers(); }, .act = take_over_in_delivery, .holds = owns};
    all["cancel"]                  = {.prepare = own,
                                      .act     = [](v& of) { of.socket.cancel_registration(); },
                                      .holds   = [](v& of) { return !of.socket.registration(); }};
    all["stand by"]                = {.prepare = [](v& of) { of.hold(), of.socket.cancel_registration(); },
                                      .act     = [](v& of) { of.socket.stand_by(of.event, all_events); },
                                      .holds   = owns};
    all["stand by behind another"] = {.prepare =
                                          [](v& of) {
                                              of.hold(), of.meet_rival();
                                              of.rivals.event_select(of.other_event, ss::network_event::read);
                                          },
                                      .act   = [](v& of) { of.socket.stand_by(of.event, all_events); },
                                      .holds = rival_owns};
    all["pass on"]                 = {.prepare =
                                          [](v& of) {
                              of.own(), of.meet_rival();
                              of.rivals.stand_by(of.other_event, all_events);
                          },
                                      .act =
                                          [](v& of) {
                              if (!of.socket.pass_on()) throw std::runtime_error("no process stands by");
                          },
                                      .holds = rival_owns};
    all["wait and collect"]        = {.prepare = own, .act = wait_and_collect};
}

} // namespace test
