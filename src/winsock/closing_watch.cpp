// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "winsock/closing_watch.hpp"

#include "base/new_fd.hpp"
#include "base/process_instance.hpp"
#include "base/syscall.hpp"
#include "winsock/layer.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>
#include <mutex>
#include <vector>

#include <unistd.h>

namespace sharedsock::winsock::detail {
namespace {

using sharedsock::detail::unique_fd;

// The calls that wait. Guarded by the layer's mutex.
struct watches {
    std::vector<std::shared_ptr<unique_fd>> signals;
    std::uint64_t instance = 0; // the process of these calls: a forked child has none of its parent's
};

watches& the_watches()
{
    static auto* const one       = new watches; // never destroyed, as the layer
    const std::uint64_t instance = sharedsock::detail::process_instance();
    if (one->instance != instance) one->signals.clear();
    one->instance = instance;
    return *one;
}

} // namespace

closing_watch::closing_watch() : signal_(std::make_shared<unique_fd>(sharedsock::detail::new_fd::event()))
{
    if (!*signal_) throw system_error(sharedsock::detail::last_error(sharedsock::detail::sys<"eventfd2">), "sharedsock::winsock");
    const std::scoped_lock lock(the_layer().mutex);
    the_watches().signals.push_back(signal_);
}

closing_watch::~closing_watch()
{
    const std::scoped_lock lock(the_layer().mutex);
    std::erase(the_watches().signals, signal_);
}

void closing_watch::forget() const noexcept
{
    std::uint64_t count              = 0;
    [[maybe_unused]] const auto none = ::read(descriptor(), &count, sizeof count);
}

void closing_watch::tell() noexcept
{
    const std::scoped_lock lock(the_layer().mutex);
    for (const auto& one : the_watches().signals) {
        const std::uint64_t count        = 1;
        [[maybe_unused]] const auto none = ::write(one->get(), &count, sizeof count);
    }
}

} // namespace sharedsock::winsock::detail
