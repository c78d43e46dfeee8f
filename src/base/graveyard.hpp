// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <memory>

namespace sharedsock::detail {

/// An object that a forked child has inherited and must not destroy inside the fork hook: a handler of the user's, whose destructor
/// may lock a mutex that a thread of the parent held, or fork; or the last reference to a member of the fork registry. It waits in
/// the graveyard for the child's next call that may destroy something.
class buriable {
protected:
    buriable()  = default;
    ~buriable() = default;

private:
    friend class graveyard;
    std::shared_ptr<buriable> next_buried_;
    bool buried_ = false;
};

/// A list through the objects themselves: to bury allocates nothing, cannot fail and destroys nothing.
class graveyard {
public:
    void bury(std::shared_ptr<buriable> one) noexcept;
    bool empty() const noexcept { return first_ == nullptr; }
    void swap(graveyard& other) noexcept { first_.swap(other.first_); }

    graveyard() = default;
    ~graveyard(); ///< destroys one after the other, whatever their number
    graveyard(const graveyard&)            = delete;
    graveyard& operator=(const graveyard&) = delete;

private:
    std::shared_ptr<buriable> first_;
};

inline std::atomic<bool> graveyard_is_used{false}; // behind `empty_graveyard`
void empty_used_graveyard() noexcept;

/// Destroys the objects that were buried in the fork that made this process, and frees what else it has left. Called where no lock
/// of the library is held: when a handle, a segment or an event object of the user's ends, and when an object joins the fork
/// registry.
inline void empty_graveyard() noexcept
{
    if (graveyard_is_used.load(std::memory_order_relaxed)) [[unlikely]]
        empty_used_graveyard();
}

} // namespace sharedsock::detail
