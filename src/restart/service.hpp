// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "restart/listener_table.hpp"
#include "restart/service_place.hpp"

#include <sharedsock/restart/event.hpp>
#include <sharedsock/restart/options.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace sharedsock::restart::detail {

/// An event that the program has not collected yet. A long carry is read when it does: that may fail for want of memory.
struct pending_event {
    event one;
    unique_fd memory;
};

/// The things of a generation, in every role: the place, the lock, the socket, the listeners, the events.
struct service {
    std::string name;
    options how;
    service_place place;
    unique_fd lock;     ///< held while this generation serves
    unique_fd listener; ///< through which the next generation comes
    listener_table listeners;
    std::deque<pending_event> events;
    std::uint64_t number = 1; ///< of this generation
    about_generation predecessor;
    about_generation successor;
    std::vector<left_behind> left;

    void tell(event::kind what, const error_code& why = {}, std::string text = {})
    {
        event one;
        one.what = what;
        one.why  = why;
        one.text = std::move(text);
        events.push_back({std::move(one), {}});
    }
};

/// This build, as it introduces itself.
std::string library_version();
std::uint32_t segment_layout() noexcept;

} // namespace sharedsock::restart::detail
