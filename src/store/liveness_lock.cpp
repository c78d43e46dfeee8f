// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/liveness_lock.hpp"

#include "base/failure_note.hpp"
#include "base/new_fd.hpp"
#include "base/ranked_mutex.hpp"
#include "base/syscall.hpp"
#include "layout/layout.hpp"

#include <array>
#include <cerrno>
#include <compare>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {

struct file_key {
    dev_t device;
    ino_t inode;

    static file_key of(const struct stat& status) { return {status.st_dev, status.st_ino}; }
    friend auto operator<=>(const file_key&, const file_key&) = default;
};

namespace {

constexpr int lowest_descriptor = 512; // out of the way of code that counts on small numbers, or closes them

// Whether the number still means the file that this process opened: careless code may have closed it, and other code re-used it.
bool refers_to(const unique_fd& file, const file_key& key) noexcept
{
    if (!file || file.overtaken()) return false;
    struct stat status;
    if (::fstat(file.get(), &status) != 0) return errno != EBADF; // out of memory: nothing says that it is closed
    return file_key::of(status) == key;
}

} // namespace

// One lock file, opened once in this process. Guarded by the registry's mutex.
struct lock_file {
    lock_file(file_key which, unique_fd locking, unique_fd judging)
        : key(which), locks(std::move(locking)), judge(std::move(judging))
    {}
    lock_file(const lock_file&) = delete;
    ~lock_file() { close(); }

    bool whole() const noexcept { return refers_to(locks, key) && refers_to(judge, key); }
    // Closes those of the two that still are this lock file. The kernel then drops the locks that this process has in it.
    void close() noexcept
    {
        for (unique_fd* file : {&locks, &judge}) {
            if (refers_to(*file, key)) {
                file->vouch();
                file->reset();
            } else {
                (void)file->release();
            }
        }
    }

    const file_key key;
    unique_fd locks; // for F_SETLK
    unique_fd judge; // for F_OFD_GETLK: another description sees this process's own locks as foreign ones
    std::array<const liveness_lock*, processes_per_liveness_file> holders{}; // the object of this process that took the byte
    std::size_t users = 0;
};

namespace {

struct lock_file_registry {
    ranked_mutex<lock_rank::liveness_registry> mutex;
    std::map<file_key, std::unique_ptr<lock_file>> files;
    std::vector<std::unique_ptr<lock_file>> torn; // other code has closed their descriptors; each stays until its last user goes
};

lock_file_registry& registry()
{
    static auto* const one = new lock_file_registry; // never destroyed: static objects of the user may detach after it
    return *one;
}

struct flock lock_range(short type, off_t first, off_t count)
{
    struct flock range {};
    range.l_type   = type;
    range.l_whence = SEEK_SET;
    range.l_start  = first;
    range.l_len    = count;
    return range;
}

bool set_lock(const lock_file& file, short type, std::uint32_t byte) noexcept
{
    const auto range = lock_range(type, byte, 1);
    return uninterrupted([&] { return ::fcntl(file.locks.get(), F_SETLK, &range); }) == 0;
}

// The holder of a lock in a range: a pid of this namespace, or one of these.
constexpr pid_t nobody    = 0;
constexpr pid_t not_told  = -2; // -1 is the kernel's word for the holder of an open file description lock
constexpr pid_t elsewhere = -3; // in another pid namespace

pid_t holder_in(const lock_file& file, std::uint32_t first, std::uint32_t count) noexcept
{
    auto range = lock_range(F_WRLCK, first, count);
    if (uninterrupted([&] { return ::fcntl(file.judge.get(), F_OFD_GETLK, &range); }) != 0) {
        return not_told;
    }
    if (range.l_type != F_UNLCK) {
        return range.l_pid != 0 ? range.l_pid : elsewhere;
    }
    return refers_to(file.judge, file.key) ? nobody : not_told;
}

// Opens the file of that key, with a high number. The low number is closed on return, when no byte of the file can be locked
// yet. ESTALE: another file has the name now; if that is in the registry, its number is not closed, which would drop its locks.
unique_fd open_high(int directory, const std::string& name, const file_key& key)
{
    unique_fd low = new_fd::open_at(directory, name.c_str(), O_RDWR | O_NOFOLLOW);
    if (!low) {
        return {};
    }
    struct stat status;
    const bool known = ::fstat(low.get(), &status) == 0;
    if (!known || file_key::of(status) != key) {
        // To close a second descriptor of a lock file would drop the locks of this process in it. Where the kernel does not say
        // which file it is, it may be any that is open.
        if (known ? registry().files.contains(file_key::of(status)) : !registry().files.empty()) {
            (void)low.release();
        }
        errno = ESTALE;
        return {};
    }
    unique_fd high = new_fd::duplicate(low.get(), lowest_descriptor);
    return high ? std::move(high) : std::move(low); // the limit may be lower than 512
}

// Other code has closed a descriptor of the file, and the kernel has dropped this process's locks: the file can be opened anew.
// The users of the torn file have lost the bytes that they held. Its other descriptor is closed now: there is no new lock to drop.
void tear(std::map<file_key, std::unique_ptr<lock_file>>::iterator found)
{
    registry().torn.reserve(registry().torn.size() + 1);
    descriptor_claims::doubt();
    found->second->close();
    registry().torn.push_back(std::move(found->second));
    registry().files.erase(found);
}

// The lock file of that name, from the registry if any liveness_lock of this process uses it already: to open and close it a
// second time would drop this process's locks. The registry's mutex is held.
lock_file* acquire(int directory, const std::string& name, error_code& ec)
{
    struct stat status;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        ec = last_error(sys<"newfstatat">);
        return nullptr;
    }
    if (!S_ISREG(status.st_mode)) {
        ec = errc::not_a_segment;
        return nullptr;
    }
    const auto key = file_key::of(status);
    auto& files    = registry().files;
    auto found     = files.find(key);
    if (found != files.end() && !found->second->whole()) {
        tear(found);
        found = files.end();
    }
    if (found == files.end()) {
        unique_fd locks = open_high(directory, name, key);
        unique_fd judge = locks ? open_high(directory, name, key) : unique_fd();
        if (!judge) {
            ec = last_error(sys<"openat">);
            return nullptr;
        }
        found = files.emplace(key, std::make_unique<lock_file>(key, std::move(locks), std::move(judge))).first;
    }
    ++found->second->users;
    ec = {};
    return found->second.get();
}

} // namespace

std::shared_ptr<liveness_lock> liveness_lock::open(int directory, std::uint32_t processes)
{
    registry(); // allocates it now: its later users may not throw
    return std::make_shared<liveness_lock>(directory, processes);
}

liveness_lock::liveness_lock(int directory, std::uint32_t processes)
    : directory_(directory), processes_(processes), files_(liveness_file_count(processes))
{}

liveness_lock::~liveness_lock()
{
    const std::lock_guard guard(registry().mutex);
    for (lock_file* file : files_) {
        if (file) {
            leave(*file);
        }
    }
}

void liveness_lock::open_files(error_code& ec) noexcept
{
    ec = {};
    const std::lock_guard guard(registry().mutex);
    for (std::uint32_t index = 0; index < processes_ && !ec; index += processes_per_liveness_file) {
        reach(index, ec);
    }
    const bool lost = ec == boost::system::errc::no_such_file_or_directory;
    if (lost || ec == boost::system::errc::permission_denied) {
        ec = lost ? errc::paths_lost : errc::access_denied;
        note_failure(ec, "openat", directory_, "life.*");
    }
}

bool liveness_lock::take(std::uint32_t index, error_code& ec)
{
    const std::lock_guard guard(registry().mutex);
    const auto [file, byte] = reach(index, ec);
    return file && !file->holders[byte] && lock(*file, byte, ec);
}

bool liveness_lock::take_again(std::uint32_t index, error_code& ec)
{
    const std::lock_guard guard(registry().mutex);
    const place at = reach(index, ec);
    return holds(at) && lock(*at.file, at.byte, ec);
}

void liveness_lock::give(std::uint32_t index) noexcept
{
    const std::lock_guard guard(registry().mutex);
    if (const place at = opened(index); holds(at)) {
        release(*at.file, at.byte);
    }
}

bool liveness_lock::held(std::uint32_t index) noexcept { return holder_of(index).kind != holder_kind::nobody; }

liveness_lock::byte_holder liveness_lock::holder_of(std::uint32_t index) noexcept
{
    if (index >= processes_) return {};
    const std::lock_guard guard(registry().mutex);
    error_code ec;
    const auto [file, byte] = reach(index, ec);
    const pid_t pid         = file ? holder_in(*file, byte, 1) : not_told;
    if (pid == nobody) return {};
    return pid > 0 ? byte_holder{holder_kind::process, pid} : byte_holder{holder_kind::hidden, 0};
}

bool liveness_lock::lost(std::uint32_t index) noexcept
{
    const std::lock_guard guard(registry().mutex);
    const place at = opened(index);
    if (!holds(at)) {
        return false;
    }
    if (!refers_to(at.file->judge, at.file->key)) {
        descriptor_claims::doubt();
        return true; // the close(2) of this descriptor dropped this process's locks
    }
    const pid_t holder = holder_in(*at.file, at.byte, 1);
    return holder != not_told && holder != ::getpid();
}

bool liveness_lock::cut_off(std::uint32_t index) noexcept
{
    const std::lock_guard guard(registry().mutex);
    const place at = opened(index);
    return holds(at) && !refers_to(at.file->judge, at.file->key);
}

bool liveness_lock::any_held() noexcept
{
    const std::lock_guard guard(registry().mutex);
    for (std::uint32_t index = 0; index < processes_; index += processes_per_liveness_file) {
        error_code ec;
        const auto [file, byte] = reach(index, ec);
        if (ec == boost::system::errc::no_such_file_or_directory) {
            continue; // no process can hold a byte in it
        }
        if (!file || holder_in(*file, 0, processes_per_liveness_file) != nobody) {
            return true;
        }
    }
    return false;
}

liveness_lock::place liveness_lock::opened(std::uint32_t index) const noexcept
{
    return {index < processes_ ? files_[index / processes_per_liveness_file] : nullptr, index % processes_per_liveness_file};
}

liveness_lock::place liveness_lock::reach(std::uint32_t index, error_code& ec) noexcept
try {
    ec = {};
    if (index >= processes_) {
        ec = {EINVAL, boost::system::system_category()};
    } else if (lock_file*& file = files_[index / processes_per_liveness_file]; !file) {
        file = acquire(directory_, liveness_file_name(index), ec);
    }
    return opened(index);
} catch (const std::bad_alloc&) {
    ec = {ENOMEM, boost::system::system_category()};
    return {};
}

bool liveness_lock::holds(const place& at) const noexcept { return at.file && at.file->holders[at.byte] == this; }

bool liveness_lock::lock(lock_file& file, std::uint32_t byte, error_code& ec) noexcept
{
    file.holders[byte] = nullptr;
    if (!refers_to(file.locks, file.key)) {
        descriptor_claims::doubt();
        ec = {EBADF, boost::system::system_category()};
        return false;
    }
    if (!set_lock(file, F_WRLCK, byte)) {
        if (errno != EACCES && errno != EAGAIN) {
            ec = last_error(sys<"fcntl">);
        }
        return false;
    }
    file.holders[byte] = this;
    return true;
}

void liveness_lock::release(lock_file& file, std::uint32_t byte) noexcept
{
    if (refers_to(file.locks, file.key)) {
        set_lock(file, F_UNLCK, byte);
    }
    file.holders[byte] = nullptr;
}

void liveness_lock::leave(lock_file& file) noexcept
{
    for (std::uint32_t byte = 0; byte < processes_per_liveness_file; ++byte) {
        if (file.holders[byte] == this) release(file, byte);
    }
    if (--file.users == 0) { // every holder is a user: closing the file drops no lock that is still held
        auto& files      = registry().files;
        const auto found = files.find(file.key);
        if (found != files.end() && found->second.get() == &file) {
            files.erase(found);
        } else {
            std::erase_if(registry().torn, [&](const auto& one) { return one.get() == &file; });
        }
    }
}

bool any_process_in(int directory)
{
    return liveness_lock::open(directory, max_processes)->any_held(); // all files that there can be: the header may be broken
}

std::string liveness_file_name(std::uint32_t index) { return "life." + std::to_string(index / processes_per_liveness_file); }

std::uint32_t liveness_file_count(std::uint32_t processes) noexcept
{
    return processes / processes_per_liveness_file + (processes % processes_per_liveness_file != 0);
}

void liveness_locks_before_fork() { registry().mutex.lock(); }

void liveness_locks_after_fork_in_parent() noexcept { registry().mutex.unlock(); }

void liveness_locks_after_fork_in_child() noexcept
{
    for (auto& [key, file] : registry().files) {
        file->holders.fill(nullptr);
    }
    for (auto& file : registry().torn) {
        file->holders.fill(nullptr);
    }
    registry().mutex.unlock();
}

void liveness_locks_after_raw_clone() noexcept
{
    std::construct_at(&registry().mutex);
    registry().mutex.lock();
    liveness_locks_after_fork_in_child();
}

} // namespace sharedsock::detail
