// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <utility>

namespace test {

/// Runs an action at the end of scope, also after an exception: it frees a thread that waits, before a std::jthread joins it.
template <class Action>
class at_the_end {
public:
    explicit at_the_end(Action action) : action_(std::move(action)) {}
    ~at_the_end() { action_(); }
    at_the_end(const at_the_end&)            = delete;
    at_the_end& operator=(const at_the_end&) = delete;

private:
    Action action_;
};

} // namespace test
