// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/fork_hook.hpp"

#include "base/failure_note.hpp"
#include "base/futex.hpp"
#include "base/new_fd.hpp"
#include "base/ranked_mutex.hpp"
#include "base/syscall.hpp"
#include "base/unique_fd.hpp"
#include "store/liveness_lock.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

struct registry {
    struct entry {
        fork_aware* one;
        lock_rank_group locks;
    };
    ranked_mutex<lock_rank::fork_registry> mutex;
    std::vector<entry> members;                 // in the order in which their locks are taken
    unique_fd done_read, done_write;            // the child reports through this pipe that it has become a member
    std::atomic<std::uint32_t>* done = nullptr; // or here, if there was no descriptor for the pipe; null if no memory either
    graveyard dead;                             // of the fork that made this process
    fork_shortage shortage; // of the fork that made this process; changed in the child only, where one thread runs
};

// Never destroyed: another thread may fork while the process exits. Replaced in a child of a raw clone(2).
std::atomic<registry*>& registry_pointer()
{
    static auto* const one = new std::atomic<registry*>(new registry);
    return *one;
}
registry& the_registry() { return *registry_pointer().load(std::memory_order_acquire); }

constexpr std::size_t shared_page_bytes = 4096;

// A child that is stopped in its hook must not hang its parent.
constexpr std::chrono::duration<int, std::milli> adoption_limit{5'000};

// The members that a child of a raw clone(2) has are its parent's, and the state of their mutexes is unknown.
bool in_raw_clone() noexcept { return process_instance() == 0; }

bool hook_runs = false; // `prepare` has locked, and `in_parent` or `in_child` must unlock; changed with that lock held

void prepare()
{
    if (in_raw_clone()) {
        hook_runs = false;
        return;
    }
    registry& all = the_registry();
    make_note(); // the child may need it
    all.mutex.lock();
    hook_runs = true;
    if (all.members.empty()) { // perhaps another thread is about to attach
        liveness_locks_before_fork();
        return;
    }
    if (new_fd::pipe(all.done_read, all.done_write)) {
        // the child reports through it
    } else if (void* const shared = ::mmap(nullptr, shared_page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
               shared != MAP_FAILED) {
        all.done = new (shared) std::atomic<std::uint32_t>(0);
    }
    for (const registry::entry& member : all.members) {
        const lock_ranks::whole_group locks(member.locks);
        member.one->before_fork();
    }
    liveness_locks_before_fork();
}

// If the child died before it had counted, or if fork(2) had failed, no process wakes the parent: it waits for the whole limit.
void wait_without_descriptor(const std::atomic<std::uint32_t>& done)
{
    const auto deadline = std::chrono::steady_clock::now() + adoption_limit;
    while (done.load() == 0) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= std::chrono::nanoseconds::zero()) return;
        futex::sleep_while(&done, 0, left);
    }
}

void forget(std::atomic<std::uint32_t>*& done) noexcept
{
    if (done != nullptr) ::munmap(std::exchange(done, nullptr), shared_page_bytes);
}

void in_parent()
{
    if (!hook_runs) return;
    registry& all = the_registry();
    liveness_locks_after_fork_in_parent();
    if (!all.members.empty()) {
        for (auto member = all.members.rbegin(); member != all.members.rend(); ++member)
            member->one->after_fork_in_parent();
        // Wait until the child's end is closed: the child has counted its inherited handles or is dead, or fork(2) had failed.
        all.done_write.reset();
        pollfd done{all.done_read.get(), POLLIN, 0};
        const int ready = !all.done_read ? 0 : uninterrupted([&] { return ::poll(&done, 1, adoption_limit.count()); });
        char nothing    = 0; // where poll(2) is denied, the wait for the end has no limit
        if (ready < 0) uninterrupted([&] { return ::read(all.done_read.get(), &nothing, 1); });
        all.done_read.reset();
        if (all.done != nullptr) wait_without_descriptor(*all.done);
        forget(all.done);
    }
    hook_runs = false;
    all.mutex.unlock();
}

void in_child()
{
    if (!hook_runs) return;
    const lock_ranks::only_thread here;
    registry& all = the_registry();
    begin_process_instance();
    all.shortage = {};
    liveness_locks_after_fork_in_child();
    if (!all.members.empty()) {
        for (const registry::entry& member : all.members)
            member.one->let_go_in_child();
        // The last first: a member takes a lock of its own anew, and the locks of those before it are still held.
        for (std::size_t i = all.members.size(); i-- > 0;)
            if (!all.members[i].one->after_fork_in_child(all.dead))
                all.members.erase(all.members.begin() + static_cast<std::ptrdiff_t>(i));
        graveyard_is_used.store(true);
        all.done_read.reset();
        all.done_write.reset(); // tells the parent
        if (all.done != nullptr) {
            all.done->store(1);
            futex::wake_all(all.done);
        }
        forget(all.done);
    }
    hook_runs = false;
    all.mutex.unlock();
}

} // namespace

void install_fork_hook()
{
    make_instance_page();
    static const int hooked = ::pthread_atfork(prepare, in_parent, in_child);
    if (hooked != 0) throw std::bad_alloc();
    if (!in_raw_clone()) return;
    auto own = std::make_unique<registry>(); // the former one and its members are the parent's
    liveness_locks_after_raw_clone();
    registry_pointer().store(own.release(), std::memory_order_release);
    begin_process_instance();
}

void fork_aware::join_fork_registry(const lock_rank_group& locks)
{
    install_fork_hook();
    empty_graveyard();
    registry& all = the_registry();
    const std::scoped_lock lock(all.mutex);
    const auto place = std::upper_bound(all.members.begin(), all.members.end(), locks.first,
                                        [](lock_rank first, const registry::entry& other) { return first < other.locks.first; });
    all.members.insert(place, {this, locks});
}

void fork_aware::leave_fork_registry() noexcept
{
    if (in_raw_clone()) return; // the registry is the parent's
    registry& all = the_registry();
    const std::scoped_lock lock(all.mutex);
    std::erase_if(all.members, [this](const registry::entry& member) { return member.one == this; });
}

void end_attachments() noexcept
{
    if (in_raw_clone()) return;
    empty_graveyard();
    for (const registry::entry& member : the_registry().members) // no other thread changes it
        member.one->end_with_process();
}

void empty_used_graveyard() noexcept
{
    if (in_raw_clone()) return;
    registry& all = the_registry();
    graveyard dead; // destroyed after the lock is released
    const std::scoped_lock lock(all.mutex);
    graveyard_is_used.store(false);
    dead.swap(all.dead);
    for (const registry::entry& member : all.members)
        member.one->free_inherited();
}

void report_fork_shortage(const fork_shortage& found) noexcept
{
    if (registry& all = the_registry(); !all.shortage.why) all.shortage = found;
}

fork_shortage shortage_of_this_fork() noexcept { return the_registry().shortage; }

} // namespace sharedsock::detail
