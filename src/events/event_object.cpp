// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/syscall.hpp"
#include "events/event_poller.hpp"
#include "events/local_registration.hpp"

#include <sharedsock/event_object.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <poll.h>

namespace sharedsock {
namespace {

using std::chrono::steady_clock;

timespec as_timespec(std::chrono::nanoseconds duration) noexcept
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {seconds.count(), static_cast<long>((duration - seconds).count())};
}

// Waits until `done` returns true; asks it again whenever one of `fds` is readable.
template <class Done>
bool wait_until(std::vector<pollfd>& fds, std::optional<std::chrono::nanoseconds> limit, Done done)
{
    const auto begin = steady_clock::now();
    while (!done()) {
        timespec left{};
        if (limit) {
            const auto rest = *limit - (steady_clock::now() - begin);
            if (rest <= std::chrono::nanoseconds::zero()) return false;
            left = as_timespec(rest);
        }
        if (::ppoll(fds.data(), fds.size(), limit ? &left : nullptr, nullptr) >= 0 || errno == EINTR) continue;
        const error_code why =
            errno == EINVAL ? make_error_code(errc::too_many_wait_objects) : detail::last_error(detail::sys<"ppoll">);
        throw system_error(why, "sharedsock: waiting for event objects");
    }
    return true;
}

std::vector<pollfd> handles_of(std::span<event_object* const> objects)
{
    std::vector<pollfd> fds;
    for (const event_object* const object : objects)
        fds.push_back({object->native_handle(), POLLIN, 0});
    return fds;
}

} // namespace

event_object::event_object() : poller_(std::make_shared<detail::event_poller>()) {}

event_object::~event_object()
{
    if (poller_ == nullptr) return;
    detail::empty_graveyard();
    if (!poller_->is_own()) return; // a child of a raw clone(2): the registrations are its parent's
    for (const auto& one : poller_->registrations())
        one->cancel_for_good(); // REG-20
}

event_object::event_object(event_object&&) noexcept = default;

event_object& event_object::operator=(event_object&& other) noexcept
{
    if (this != &other) {
        const event_object old(std::move(*this)); // its destructor ends the registrations
        poller_ = std::move(other.poller_);
    }
    return *this;
}

void event_object::set() { poller_->set(); }
void event_object::reset() { poller_->reset(); }

bool event_object::is_set()
{
    detail::throw_if(poller_->pump(), "sharedsock::event_object::is_set");
    return poller_->is_set();
}

void event_object::wait()
{
    std::vector<pollfd> fds{{native_handle(), POLLIN, 0}};
    wait_until(fds, std::nullopt, [this] { return is_set(); });
}

bool event_object::wait(std::chrono::nanoseconds limit)
{
    std::vector<pollfd> fds{{native_handle(), POLLIN, 0}};
    return wait_until(fds, limit, [this] { return is_set(); });
}

int event_object::native_handle() const noexcept { return poller_->native_handle(); }

std::optional<std::size_t> wait_any(std::span<event_object* const> objects, std::optional<std::chrono::nanoseconds> limit)
{
    std::vector<pollfd> fds = handles_of(objects);
    std::size_t first       = 0;
    const bool found        = wait_until(fds, limit, [&] {
        for (first = 0; first < objects.size(); ++first)
            if (objects[first]->is_set()) return true;
        return false;
    });
    return found ? std::optional(first) : std::nullopt;
}

bool wait_all(std::span<event_object* const> objects, std::optional<std::chrono::nanoseconds> limit)
{
    // The kernel has no wait for all: wait for the objects that are not set, until one look finds none. All were set at one
    // moment, the end of that look, if none was reset after this loop had looked at it.
    std::vector<pollfd> fds = handles_of(objects);
    std::vector<std::uint64_t> resets(objects.size());
    return wait_until(fds, limit, [&] {
        bool all = true;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            resets[i]      = objects[i]->poller()->resets(); // first: if the count is the same later, no reset came between
            const bool set = objects[i]->is_set();
            fds[i].fd      = set ? -1 : objects[i]->native_handle(); // poll(2) skips a negative one
            all            = all && set;
        }
        for (std::size_t i = 0; all && i < objects.size(); ++i) {
            all = objects[i]->poller()->resets() == resets[i];
            if (!all) fds[i].fd = objects[i]->native_handle();
        }
        return all;
    });
}

} // namespace sharedsock
