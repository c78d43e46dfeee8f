// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/deadline.hpp"
#include "support/scratch_segment.hpp"

#include <barrier>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace test {

/// Threads that stand for processes, so that a sanitizer sees their effects on each other.
///
/// `apart`: each has an attachment, and so a mapping of the segment, of its own, as processes have. A sanitizer for threads takes
/// the mappings for different memory, and judges only the state that the library keeps beside the segment.
/// `together`: all are threads of one attachment. Then it judges the words of the segment as well.
enum class manner { apart, together };

class contexts {
public:
    contexts(manner how, std::size_t count, const sharedsock::segment_options& options = {.sockets = 64, .processes = 32})
        : home(options)
    {
        for (std::size_t i = 0; i < count; ++i)
            segments.push_back(how == manner::apart ? sharedsock::segment::open(home.name()) : *home);
    }

    /// A handle of its own to `socket` for each.
    std::vector<sharedsock::shared_socket> handles_to(const sharedsock::shared_socket& socket) const
    {
        std::vector<sharedsock::shared_socket> result;
        for (const sharedsock::segment& one : segments)
            result.push_back(sharedsock::shared_socket::redeem(one, socket.duplicate(one.self())));
        return result;
    }

    /// Runs `task(i)` for each at once, in threads. When all have ended, throws the exception of the first that failed.
    template <class Task>
    void run(Task task)
    {
        std::barrier start(static_cast<std::ptrdiff_t>(segments.size()));
        std::mutex mutex;
        std::exception_ptr failure;
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < segments.size(); ++i)
            threads.emplace_back([&, i] {
                start.arrive_and_wait();
                try {
                    task(i);
                } catch (...) {
                    const std::scoped_lock lock(mutex);
                    if (!failure) failure = std::current_exception();
                }
            });
        threads.clear();
        if (failure) std::rethrow_exception(failure);
    }

    scratch_segment home;
    std::vector<sharedsock::segment> segments;
};

} // namespace test
