// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that concern event objects.
#include "support/foreign_loops.hpp"
#include "support/peer_state.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace ss = sharedsock;

namespace test {

void peer_state::add_event_verbs()
{
    add("event", [this](words& line, ss::error_code&) {
        const std::string name = line.next("event object");
        const auto state       = line.maybe();
        const std::scoped_lock lock(mutex_);
        events_[name] = std::make_shared<ss::event_object>();
        if (state == "moved") ss::event_object elsewhere(std::move(*events_[name]));
    });
    add("events", [this](words& line, ss::error_code&) {
        const std::string prefix = line.next("event objects");
        const auto count         = line.number<std::size_t>("count");
        const std::scoped_lock lock(mutex_);
        for (std::size_t i = 0; i < count; ++i)
            events_[prefix + std::to_string(i)] = std::make_shared<ss::event_object>();
    });
    add("destroy", [this](words& line, ss::error_code&) {
        const std::string name = line.next("event object");
        const std::scoped_lock lock(mutex_);
        events_.erase(name);
    });
    add("set", [this](words& line, ss::error_code&) { event(line)->set(); });
    add("reset", [this](words& line, ss::error_code&) { event(line)->reset(); });
    add("sig", [this](words& line, ss::error_code&) { return yes_or_no(event(line)->is_set()); });
    add("wait", [this](words& line, ss::error_code&) {
        const auto e = event(line);
        return yes_or_no(e->wait(std::chrono::milliseconds(line.number("milliseconds"))));
    });
    for (const std::string& way : ways_to_wait())
        add(way.c_str(), [this, way](words& line, ss::error_code&) {
            const auto e = event(line);
            return yes_or_no(readable_by(way, e->native_handle(), std::chrono::milliseconds(line.number("milliseconds"))));
        });
    const auto loops = std::make_shared<std::map<std::string, edge_triggered_loop>>();
    add("edge_loop", [this, loops](words& line, ss::error_code&) {
        const std::string name = line.next("loop");
        loops->try_emplace(name, event(line)->native_handle());
    });
    add("edge", [loops](words& line, ss::error_code&) {
        const auto found = loops->find(line.next("loop"));
        if (found == loops->end()) misuse("no such loop");
        return yes_or_no(found->second.wakes(std::chrono::milliseconds(line.number("milliseconds"))));
    });
    add("wait_any", [this](words& line, ss::error_code&) {
        const std::chrono::milliseconds limit(line.number("milliseconds"));
        const auto first = ss::wait_any(several_events(line), limit);
        return first ? std::to_string(*first) : "none";
    });
    add("wait_all", [this](words& line, ss::error_code&) {
        const std::chrono::milliseconds limit(line.number("milliseconds"));
        return yes_or_no(ss::wait_all(several_events(line), limit));
    });
    add("alternate", [this](words& line, ss::error_code&) {
        const auto one = event(line), other = event(line);
        for (int left = line.number("count"); left > 0; --left)
            for (const auto& e : {one, other}) {
                e->set();
                e->reset();
            }
    });
    add("inherited_by_exec", [this](words& line, ss::error_code&) {
        const std::string path = "/proc/self/fd/" + std::to_string(event(line)->native_handle());
        return yes_or_no(std::system(("exec test -e " + path).c_str()) == 0);
    });
}

} // namespace test
