// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that concern the registration of a socket, and the record.
#include "support/peer_state.hpp"
#include "support/peer_values.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace ss = sharedsock;

namespace test {

void peer_state::add_registration_verbs()
{
    add("event_select", [this](words& line, ss::error_code& ec) {
        const auto h                 = socket(line);
        const std::string name       = line.next("event object");
        const ss::network_event mask = to_mask(line.next("mask"));
        ss::select_options options;
        options.tell_loss = line.maybe().has_value();
        if (name == "-") {
            ss::event_object ignored;
            h->event_select(ignored, mask, options, ec);
        } else {
            words again(name);
            h->event_select(*event(again), mask, options, ec);
        }
    });
    add("request_change", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        h->request_change(to_mask(line.next("change")), ec);
    });
    add("cancel", [this](words& line, ss::error_code& ec) { socket(line)->cancel_registration(ec); });
    add("stand_by", [this](words& line, ss::error_code& ec) {
        const auto h    = socket(line);
        const auto e    = event(line);
        const auto mask = to_mask(line.next("mask"));
        ss::select_options options;
        options.tell_loss = line.maybe().has_value();
        h->stand_by(*e, mask, options, ec);
    });
    add("pass_on", [this](words& line, ss::error_code& ec) { return yes_or_no(socket(line)->pass_on(ec)); });
    add("enum", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        std::shared_ptr<ss::event_object> e;
        if (const auto name = line.maybe()) {
            words again(*name);
            e = event(again);
        }
        return to_text(h->enum_network_events(e.get(), ec));
    });
    add("query", [this](words& line, ss::error_code&) {
        const auto now = socket(line)->registration();
        if (!now) return std::string("nobody");
        static const char* const kinds[] = {"unknown", "event_select", "async_select"};
        return "owner=" + to_string(now->owner) + " handle=" + std::to_string(now->handle) +
               " kind=" + kinds[static_cast<std::size_t>(now->kind)] + " mask=" + to_string(now->mask) +
               " epoch=" + std::to_string(now->epoch);
    });
}

} // namespace test
