// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/doorbell.hpp"

#include "base/descriptor_proof.hpp"
#include "base/failure_note.hpp"
#include "base/new_fd.hpp"
#include "base/short_text.hpp"
#include "base/syscall.hpp"
#include "layout/layout.hpp"
#include "store/file_access.hpp"
#include "store/segment_directory.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {

namespace {

short_text bell_name(std::uint32_t index) noexcept { return short_text("bell.", index); }

error_code kernel_error(int value) { return {value, boost::system::system_category()}; }

// The owner too opens it for writing as well: a FIFO with a reader and a writer raises no SIGPIPE and shows no end.
unique_fd open_bell(int directory, std::uint32_t index, error_code& ec)
{
    unique_fd bell = new_fd::open_at(directory, bell_name(index).c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    struct stat what {};
    if (!bell || ::fstat(bell.get(), &what) != 0) {
        ec = last_error(bell ? fstat_call : sys<"openat">);
    } else if (!S_ISFIFO(what.st_mode)) {
        ec = errc::segment_damaged;
    } else {
        ec.clear();
    }
    return ec ? unique_fd() : std::move(bell);
}

// A pipe that is open for both, as a doorbell is.
unique_fd nameless_bell()
{
    unique_fd out;
    unique_fd in;
    if (!new_fd::pipe(out, in)) return {};
    return new_fd::open(short_text("/proc/thread-self/fd/", out.get()).c_str(), O_RDWR | O_NONBLOCK);
}

bool no_descriptor_left(const error_code& ec) { return ec == kernel_error(EMFILE) || ec == kernel_error(ENFILE); }

doorbells::rung write_id(int bell, std::uint32_t id)
{
    // The kernel writes it whole or not at all: it is far below PIPE_BUF.
    const ssize_t written = uninterrupted([&] { return ::write(bell, &id, sizeof id); });
    return written == sizeof id ? doorbells::rung::yes : doorbells::rung::overflow;
}

// Reads as much as the largest pipe of an ordinary user can hold; an id that is rung meanwhile is for the new incarnation.
void empty(int bell)
{
    char bytes[4096];
    for (int reads = 0; reads < 256 && ::read(bell, bytes, sizeof bytes) > 0; ++reads) {
    }
}

} // namespace

doorbells::doorbells(int directory, std::uint32_t processes)
    : directory_(directory), others_(processes), doubts_(descriptor_claims::doubts())
{
    for (auto& bell : others_) {
        bell.store(unique_fd::parked_none, std::memory_order_relaxed);
    }
}

doorbells::~doorbells()
{
    for (const auto& bell : others_) {
        const unique_fd closed = unique_fd::unpark(bell.load(std::memory_order_relaxed), doubts_);
    }
    const unique_fd closed = unique_fd::unpark(spare_.load(std::memory_order_relaxed), doubts_);
}

void doorbells::hang(std::uint32_t self, error_code& ec)
{
    ec.clear();
    if (own_) {
        return;
    }
    if (self >= others_.size()) {
        ec = kernel_error(EINVAL);
        return;
    }
    const call_category* failed = &sys<"openat">;
    unique_fd bell              = open_bell(directory_, self, ec);
    const bool fresh            = ec == kernel_error(ENOENT);
    const bool shut             = ec == kernel_error(EACCES); // a predecessor with a strict umask died before it had set the mode
    if (fresh || shut) {
        const short_text name = bell_name(self);
        if (shut || ::mkfifoat(directory_, name.c_str(), file_in_ways) == 0 || errno == EEXIST) {
            bell = open_bell(directory_, self, ec);
            if (ec == kernel_error(EACCES)) { // the umask; another user's process must not lead this one to a file of its choice
                if (::fchmodat(directory_, name.c_str(), file_in_ways, AT_SYMLINK_NOFOLLOW) == 0) {
                    bell = open_bell(directory_, self, ec);
                } else {
                    failed = &sys<"fchmodat">;
                    ec     = last_error(*failed);
                }
            } else if (bell && ::fchmod(bell.get(), file_in_ways) != 0) {
                failed = &sys<"fchmod">;
                ec     = last_error(*failed);
            }
        } else if (errno == ENOENT && common_) { // the directory was deleted
            bell         = nameless_bell();
            has_no_name_ = static_cast<bool>(bell);
            failed       = &sys<"pipe2">;
            ec           = bell ? error_code() : last_error(*failed);
        } else {
            failed = &sys<"mknodat">;
            ec     = entry_error(*failed);
        }
    }
    if (ec) {
        if (ec == kernel_error(EACCES)) ec = errc::access_denied;
        note_failure(ec, failed->call(), directory_, bell_name(self).c_str());
        return;
    }
    if (!has_no_name_) {
        empty(bell.get());
    }
    own_ = std::move(bell);
    own_way_.store(std::uint64_t{self} << 32 | static_cast<std::uint32_t>(own_.get()));
    if (spare_.load(std::memory_order_relaxed) == unique_fd::parked_none) {
        keep_spare(own_.get());
    }
}

void doorbells::abandon() noexcept
{
    own_way_.store(unique_fd::parked_none);
    own_.reset();
    has_no_name_ = false;
}

void doorbells::open_common(int directory, const char* name, error_code& ec)
{
    ec      = {};
    common_ = new_fd::open_at(directory, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    struct stat what {};
    if (!common_ || ::fstat(common_.get(), &what) != 0) {
        ec = errno == ENOENT   ? make_error_code(errc::paths_lost)
             : errno == EACCES ? make_error_code(errc::access_denied)
                               : last_error(common_ ? fstat_call : sys<"openat">);
        note_failure(ec, "openat", directory, name);
    } else if (!S_ISFIFO(what.st_mode)) {
        ec = errc::segment_damaged;
    } else {
        common_mark_ = file_mark(what);
    }
}

void doorbells::ring_common() noexcept
{
    const char one = 1;
    if (!common_ || !common_mark_.is_on(common_))
        return; // other code may have closed it: nothing is written to what has its number
    if (::write(common_.get(), &one, 1) < 0 && errno == EAGAIN) { // full: no process reads it but one in this place
        empty(common_.get());
        static_cast<void>(::write(common_.get(), &one, 1));
    }
}

std::size_t doorbells::answer(std::span<std::uint32_t> ids) noexcept
{
    if (!own_ || own_.overtaken()) {
        return 0;
    }
    const ssize_t got = uninterrupted([&] { return ::read(own_.get(), ids.data(), ids.size_bytes()); });
    if (got <= 0) {
        return 0;
    }
    const auto bytes  = static_cast<std::size_t>(got);
    std::size_t whole = bytes / sizeof(std::uint32_t);
    if (bytes % sizeof(std::uint32_t) != 0) {
        ids[whole++] = no_index; // there is room: a full span is whole ids
    }
    return whole;
}

doorbells::rung doorbells::ring(std::uint32_t index, std::uint32_t id) noexcept
{
    if (index >= others_.size()) {
        return rung::nobody;
    }
    const std::uint64_t own = own_way_.load();
    const int kept =
        own >> 32 == index ? unique_fd::number_in(own) : unique_fd::number_in(others_[index].load(std::memory_order_acquire));
    if (kept >= 0) {
        return write_id(kept, id);
    }
    error_code ec;
    const int opened = open_kept(index, ec);
    if (opened >= 0) {
        return write_id(opened, id);
    }
    return no_descriptor_left(ec) ? ring_once(index, id) : rung::nobody;
}

int doorbells::open_kept(std::uint32_t index, error_code& ec) noexcept
{
    unique_fd bell = open_bell(directory_, index, ec);
    if (!bell) {
        return unique_fd::number_in(others_[index].load(std::memory_order_acquire)); // the one that another thread opened, or none
    }
    std::uint64_t kept         = unique_fd::parked_none;
    const std::uint64_t parked = bell.park();
    if (others_[index].compare_exchange_strong(kept, parked, std::memory_order_acq_rel)) {
        return unique_fd::number_in(parked);
    }
    const unique_fd closed = unique_fd::unpark(parked, descriptor_claims::doubts());
    return unique_fd::number_in(kept);
}

// The spare descriptor makes room for as long as the bell needs; if another thread takes the room first, this bell is not rung.
doorbells::rung doorbells::ring_once(std::uint32_t index, std::uint32_t id) noexcept
{
    unique_fd spare = unique_fd::unpark(spare_.exchange(unique_fd::parked_none), doubts_);
    if (!spare) {
        return rung::nobody;
    }
    spare.reset();
    error_code ec;
    unique_fd bell    = open_bell(directory_, index, ec);
    const rung result = bell ? write_id(bell.get(), id) : rung::nobody;
    bell.reset();
    keep_spare(directory_);
    return result;
}

void doorbells::keep_spare(int of) noexcept
{
    unique_fd spare = new_fd::duplicate(of);
    if (spare) {
        spare_ = spare.park();
    }
}

// No other FIFO is in that file system, but bells of other segments.
bool doorbells::prove_bell(unique_fd& bell, dev_t device) const noexcept
{
    struct stat what {};
    if (!bell || bell.overtaken()) return false;
    const bool is_bell = ::fstat(bell.get(), &what) != 0
                             ? errno != EBADF
                             : S_ISFIFO(what.st_mode) && (what.st_dev == device || (&bell == &own_ && has_no_name_));
    if (is_bell) bell.vouch();
    return is_bell;
}

bool doorbells::prove() noexcept
{
    struct stat directory {};
    if (::fstat(directory_, &directory) != 0) {
        return errno != EBADF; // out of memory: nothing says that another file has the number
    }
    const file_mark directory_mark(directory);
    bool all_are = true;
    for (auto& place : others_) {
        if (place.load(std::memory_order_relaxed) != unique_fd::parked_none) {
            unique_fd bell = unique_fd::unpark(place.exchange(unique_fd::parked_none), doubts_);
            all_are &= keep_proven(bell, prove_bell(bell, directory.st_dev));
        }
    }
    unique_fd spare = unique_fd::unpark(spare_.exchange(unique_fd::parked_none), doubts_);
    keep_proven(spare, directory_mark.prove(spare) || prove_bell(spare, directory.st_dev));
    all_are &= keep_proven(common_, common_mark_.prove(common_));
    all_are &= keep_proven(own_, prove_bell(own_, directory.st_dev));
    if (!own_) own_way_.store(unique_fd::parked_none);
    return all_are;
}

} // namespace sharedsock::detail
