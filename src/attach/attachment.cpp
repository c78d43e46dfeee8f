// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attachment.hpp"

#include "attach/handle.hpp"
#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "base/process_identity.hpp"
#include "base/syscall.hpp"
#include "base/wall_clock.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

namespace sharedsock::detail {

namespace {

// Whether a live process holds the slot's lock; that process may be stopped.
bool is_locked(const membership& self, std::uint32_t socket) noexcept
{
    const socket_slot* const slot = self.bytes().socket(socket);
    return slot != nullptr && robust_lock::held(slot->lock, self);
}

} // namespace

attachment::attachment(segment_file& file, std::shared_ptr<liveness_lock> life, const segment_options& options)
    : life_(std::move(life)),
      bells_(file.ways(), file.plan().capacity.processes),
      box_(file.ways(), *this),
      member_(table_view(file.base(), file.plan()), *life_, bells_, *this, options.patience)
{
    std::memcpy(uuid_.data(), reinterpret_cast<const segment_header*>(file.base())->uuid, uuid_.size());
}

std::shared_ptr<attachment> attachment::join(std::unique_ptr<segment_file> file, const segment_options& options, error_code& ec)
try {
    install_fork_hook();
    // All that has to be opened below the directory is opened now: later this process may be another user, or the names be gone.
    auto life = liveness_lock::open(file->directory(), file->plan().capacity.processes);
    std::shared_ptr<attachment> joined(new attachment(*file, std::move(life), options));
    joined->file_ = std::move(file); // from here on `~attachment` decides whether the file is removed
    if (joined->file_->ways() < 0)
        ec = errc::paths_lost;
    else
        joined->life_->open_files(ec);
    if (!ec) joined->bells_.open_common(joined->file_->directory(), common_bell_name, ec);
    if (!ec) joined->become_member(ec);
    // A process that removes or sweeps the segment renames its directory before it deletes a file: then no file was lost.
    error_code unknown;
    if (ec == errc::paths_lost && !joined->file_->still_named(unknown) && !unknown) ec = errc::segment_not_found;
    if (ec) return nullptr;
    joined->join_fork_registry(attachment_locks);
    return joined;
} catch (const std::bad_alloc&) {
    if (file) file->remove_if_nameless();
    throw;
}

void attachment::become_member(error_code& ec)
{
    member_.attach(ec);
    if (ec) return;
    instance_ = process_instance();
    process_  = instance_;
    if (file_->still_named(ec))
        appear(ec);
    else if (!ec) // removed in between: a process that attaches now gets another segment
        ec = errc::segment_not_found;
}

// Other processes find this one by its pid: only once they can send to it, and never by the pid of the former incarnation.
void attachment::appear(error_code& ec)
{
    process_record& record = *member_.bytes().process(member_.self().index);
    record.pid             = 0;
    record.bell.store(0);
    box_.open(member_.self().index, ec);
    record.box.store(ec ? -1 : box_.path_handle() + 1);
    introduce();
}

attachment::~attachment()
{
    leave_fork_registry();
    if (!is_own() && process_ != 0) return; // a child of a raw clone(2): its parent owns all of this
    leave();
    // This may be the only sign that other code has closed one of the descriptors.
    const bool are_proven = prove_descriptors();
    if (!are_proven) {
        descriptor_claims::doubt();
        prove_descriptors(); // again: a proof counts only after the doubt
    }
    // A forked child that could not attach leaves its parent's directory alone: the parent holds a byte in it.
    if (file_ && ((are_proven && instance_ == process_instance()) || file_->prove())) file_->remove_if_nameless();
}

void attachment::leave() noexcept
{
    if (member() != nullptr && !descriptors_are_ours()) confirm_identity();
    if (instance_ == process_instance() && !box_.prove()) { // before the mailbox closes its descriptors
        descriptor_claims::doubt();
        box_.prove();
    }
    if (member() == nullptr) return;
    retry_closes();
    member_.bytes()
        .process(member_.self().index)
        ->box.store(0); // first: a sender that does not find it knows that this process ends
    const std::vector<mail_message> not_taken = close_mail();
    box_.close(member_.self().index);
    member_.detach();
    for (const mail_message& one : not_taken) // its sender takes it back, now that it sees no process here
        member_.ring(one.sender, one.socket);
}

void attachment::end_with_process() noexcept
{
    if (is_own()) leave();
}

membership* attachment::member() noexcept { return instance_ == process_instance() && member_.attached() ? &member_ : nullptr; }

membership* attachment::member(error_code& ec) noexcept
{
    membership* const self = recent_member(ec);
    if (self == nullptr || keeps_descriptors()) return self;
    ec = errc::identity_lost;
    return nullptr;
}

bool attachment::keeps_descriptors() noexcept { return !life_->cut_off(member_.self().index) || confirm_identity(); }

membership* attachment::recent_member(error_code& ec) noexcept
{
    // `confirm_identity` takes that lock, once a second at most; the rank is checked at every call.
    lock_ranks::about_to_take(lock_rank::local_registration);
    ec.clear();
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now); // no system call
    if (confirmed_.load(std::memory_order_relaxed) != now.tv_sec &&
        confirmed_.exchange(now.tv_sec, std::memory_order_relaxed) != now.tv_sec && member() != nullptr) {
        confirm_identity();
        retry_closes(); // a process that never serves retries its closes here
    }
    membership* const self = member();
    return self != nullptr ? self : join_late(ec);
}

bool attachment::confirm_identity() noexcept
try {
    if (member_.confirm_identity()) {
        if (descriptors_are_ours()) return true;
        member_.give_up_identity();
    }
    stop_serving();
    while (const auto one = any_open_handle())
        one->lose_record();
    return false;
} catch (const std::bad_alloc&) {
    return false; // the handles that are left follow at the next call or tick
}

std::shared_ptr<handle> attachment::any_open_handle() noexcept
{
    std::shared_ptr<handle> found;
    const std::scoped_lock lock(mutex_);
    handles_.for_each([&](handle& one) {
        if (!one.closed()) found = one.weak_from_this().lock();
        return found == nullptr;
    });
    return found;
}

void attachment::introduce() noexcept
{
    process_record& record = member_.bytes().processes[member_.self().index]; // the own index: not out of the segment
    record.load.store(0);
    record.resync.store(0);
    record.worker.store(0);
    note_own_user();
    const process_identity mine = this_process();
    record.pid_namespace        = mine.pid_namespace;
    record.start_time           = mine.start_time;
    record.attached_ns          = wall_clock_ns();
    char name[sizeof record.name]{}; // 16 bytes, as the kernel has it
    ::prctl(PR_GET_NAME, name);
    std::memcpy(record.name, name, sizeof name);
    record.pid.store(mine.pid); // last: a process that finds this one by its pid sees the rest
}

// --- for the mailbox --------------------------------------------------------------------------------------------------

void attachment::note_own_user() noexcept
{
    if (member_.attached()) member_.bytes().process(member_.self().index)->uid.store(::geteuid());
}

// A process that has entered a user namespace has another number there; its mailbox shows the one that it has here.
bool attachment::is_user(uid_t user) const noexcept
{
    if (user == file_->whose().owner) return true;
    const table_view& bytes = member_.bytes();
    for (std::uint32_t index = 0; index < bytes.capacity.processes; ++index)
        if (load(*bytes.process(index)).used && (bytes.process(index)->uid.load() == user || box_.is_of(index, user))) return true;
    return false;
}

mail_peers::box_place attachment::find_box(std::uint32_t index) const noexcept
{
    const process_record* const record = member_.bytes().process(index);
    if (record == nullptr) return {};
    const process_id who{index, load(*record).generation};
    const int box = record->box.load();
    if (box == 0 || !member_.alive(who)) return {};
    if (box < 0) return {box_place::kind::nowhere, 0, -1};
    return {box_place::kind::described, member_.pid_of(who), box - 1};
}

// --- this process's open handles --------------------------------------------------------------------------------------

void attachment::enlist(handle& opened)
{
    const std::scoped_lock lock(mutex_);
    handles_.add(opened);
}

void attachment::dismiss(handle& closing) noexcept
{
    const std::scoped_lock lock(mutex_);
    handles_.remove(closing);
}

std::vector<std::shared_ptr<handle>> attachment::handles_of(std::uint32_t socket)
{
    std::vector<std::shared_ptr<handle>> result;
    const std::scoped_lock lock(mutex_);
    handles_.for_each_of(socket, [&](handle& one) {
        if (auto alive = one.weak_from_this().lock()) result.push_back(std::move(alive));
        return true;
    });
    return result;
}

std::vector<std::shared_ptr<handle>> attachment::all_handles()
{
    std::vector<std::shared_ptr<handle>> result;
    const std::scoped_lock lock(mutex_);
    handles_.for_each([&](handle& one) {
        if (auto alive = one.weak_from_this().lock()) result.push_back(std::move(alive));
        return true;
    });
    return result;
}

bool attachment::shares_cookie(std::uint64_t cookie)
{
    const std::scoped_lock lock(mutex_);
    return handles_.has_cookie(cookie);
}

void attachment::hang_bell(error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    if (bells_.native_handle() < 0) bells_.hang(member_.self().index, ec);
    if (!ec) deaths_.open(ec, &bells_.common()); // again, if there was no descriptor for it the last time
    if (!ec) member_.bytes().process(member_.self().index)->bell.store(1);
}

void attachment::answer_bell()
try {
    membership* const self = member();
    if (self == nullptr) return;
    std::uint32_t ids[256];
    std::size_t count = 0;
    bool gives        = false;
    do {
        {
            const std::scoped_lock lock(mutex_);
            gives = !outgoing_.empty(); // one that begins later looks for itself
            count = bells_.native_handle() >= 0 ? bells_.answer(ids) : 0;
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (ids[i] == no_index)
                look_at_all();
            else
                for (const auto& one : handles_of(ids[i]))
                    one->on_bell();
        }
    } while (count == std::size(ids));
    deaths_.answer(*self);
    if (gives) alarm_givers();
    if (self->bytes().process(self->self().index)->resync.exchange(0) != 0) look_at_all();
} catch (const std::bad_alloc&) { // which sockets were rung is forgotten: the next answer looks at all of them
    member_.ring(member_.self().index, no_index);
    throw;
}

void attachment::look_at_all()
{
    for (const auto& one : all_handles())
        one->on_bell();
}

// --- work that is retried ---------------------------------------------------------------------------------------------

void attachment::close_later(const socket_and_handle& which) noexcept
{
    const std::scoped_lock lock(mutex_);
    try {
        unfinished_closes_.push_back(which);
    } catch (const std::bad_alloc&) { // then this process keeps the record until it detaches
    }
}

void attachment::give_up(const socket_and_handle& record) noexcept
{
    error_code stopped;
    member_.close_handle(record, 0, stopped);
    if (stopped) close_later(record);
}

void attachment::retry_closes() noexcept
{
    std::vector<socket_and_handle> due;
    {
        const std::scoped_lock lock(mutex_);
        due.swap(unfinished_closes_);
    }
    for (const socket_and_handle& which : due) {
        error_code ec;
        if (is_locked(member_, which.socket.index)) // do not wait here for a stopped lock holder
            ec = errc::lock_timeout;
        else
            member_.close_handle(which, 0, ec);
        if (ec == errc::lock_timeout) close_later(which);
    }
}

void attachment::back_handle(std::uint32_t index, error_code& ec) noexcept
{
    const segment_plan& plan = file_->plan();
    file_->back(plan.handles_offset, sizeof(handle_record), plan.capacity.handles, index, member_.bytes().header->handles_backed,
                ec);
}

void attachment::back_socket(std::uint32_t index, error_code& ec) noexcept
{
    const segment_plan& plan = file_->plan();
    file_->back(plan.sockets_offset, sizeof(socket_slot), plan.capacity.sockets, index, member_.bytes().header->sockets_backed, ec);
}

} // namespace sharedsock::detail
