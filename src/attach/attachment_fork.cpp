// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An attachment across fork(2): the child becomes a member itself, with a handle record for each handle that it inherited.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "member/told_processes.hpp"

#include <mutex>

#include <sys/epoll.h>

namespace sharedsock::detail {
namespace {

// Replaces the parent's epoll by a new one under the same number: an io_context or a loop of the user's may know that number,
// and must not find it invalid. The new one is filled on demand. The parent's epoll is not changed.
void renew_epoll(unique_fd& kept) noexcept
{
    if (!kept) return;
    const unique_fd fresh = new_fd::epoll();
    if (!fresh || !new_fd::replace(fresh, kept)) kept.reset();
}

} // namespace

void attachment::before_fork() noexcept
{
    mutex_.lock();
    locks_.lock_all();
    box_.lock();
    deaths_.lock();
    free_what_the_parent_had(); // if no call has come since the fork that made this process
}

void attachment::after_fork_in_parent() noexcept
{
    deaths_.unlock();
    box_.unlock();
    locks_.unlock_all();
    mutex_.unlock();
}

bool attachment::after_fork_in_child(graveyard& dead) noexcept
{
    const bool parent_was_attached = instance_ != 0 && member_.attached();
    locks_.unlock_all();
    abandon_what_the_parent_has();
    process_         = process_instance();
    instance_        = 0;
    const bool alive = !weak_from_this().expired(); // else a thread of the parent was about to end it
    if (parent_was_attached && alive) join_in_child();
    adopt_handles(dead);
    mutex_.unlock();
    return alive;
}

void attachment::join_in_child() noexcept
{
    member_.attach(not_joined_);
    if (!member_.attached()) return;
    error_code ec; // without a mailbox the child is a member, but other processes cannot send to it
    appear(ec);
    instance_ = process_; // last: another thread that finds the member finds it whole
}

membership* attachment::join_late(error_code& ec) noexcept
{
    ec = identity_lost() ? errc::identity_lost : errc::not_attached;
    if (!is_own() || identity_lost()) return nullptr; // in a raw clone(2)'s child the state of the mutex is not known
    const std::lock_guard lock(mutex_);
    if (member() == nullptr && not_joined_ && not_joined_ != errc::process_table_full) join_in_child();
    membership* const self = member();
    if (self != nullptr || not_joined_) ec = not_joined_; // no error, once it has joined
    return self;
}

void attachment::abandon_what_the_parent_has() noexcept
{
    deaths_.abandon();
    deaths_.unlock(); // no lock is taken under it, and the mailbox has its own
    box_.unlock();
    box_.abandon();
    bells_.abandon();
    member_.abandon();
    for (delivered_message& one : mail_) { // the parent's tickets
        one.descriptor.reset();
        one.carry.memory.reset();
    }
    mail_of_parent_.swap(mail_);
    kept_.clear(); // these three keep their memory
    requests_.clear();
    unfinished_closes_.clear();
    // After a doubt of long ago they are replaced only if they still are what they were.
    if (serving_.doubtful()) prove_entry(serving_, tick_, EPOLLIN, 0);
    if (arrivals_.doubtful()) prove_entry(arrivals_, arrived_, EPOLLIN, 0);
    tick_.reset();
    arrived_.reset();
    forged_arrivals_ = 0;
    outgoing_.clear(); // the parent's; and so are their alarms
    spare_alarm_.reset();
    renew_epoll(serving_);
    renew_epoll(arrivals_);
}

void attachment::free_inherited() noexcept
{
    const std::lock_guard lock(mutex_);
    const std::lock_guard lock_box(box_);
    const std::lock_guard lock_deaths(deaths_);
    free_what_the_parent_had();
}

void attachment::free_what_the_parent_had() noexcept
{
    mail_of_parent_.clear();
    box_.free_abandoned();
    deaths_.free_abandoned();
}

void attachment::adopt_handles(graveyard& dead) noexcept
{
    told_processes told; // an owner is not rung for each of its sockets
    fork_shortage found;
    found.why      = not_joined_;
    found.capacity = member_.bytes().capacity.processes;
    handles_.for_each([&](handle& one) {
        error_code ec = not_joined_;
        one.adopt_after_fork(member_.attached() ? &member_ : nullptr, told, dead, ec);
        ++found.inherited;
        if (!one.closed()) ++found.counted;
        if (ec && !found.why) {
            found.why      = ec;
            found.capacity = member_.bytes().capacity.handles;
        }
        return true;
    });
    if (found.why) report_fork_shortage(found);
}

} // namespace sharedsock::detail
