// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/new_fd.hpp"

#include "base/syscall.hpp"

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::detail::new_fd {
namespace {

constexpr int lowest = STDERR_FILENO + 1;

std::atomic<bool> standard_number_is_free{false}; // the kernel has given this process one

// Occupies the free ones of the standard numbers while it lives. O_PATH: a write there fails as on a closed descriptor.
class occupied_standard_numbers {
public:
    occupied_standard_numbers() noexcept
    {
        if (!standard_number_is_free.load(std::memory_order_relaxed)) [[likely]]
            return;
        for (count_ = 0; count_ < lowest; ++count_) {
            const int number = ::open("/", O_PATH | O_CLOEXEC);
            if (number < 0) return;
            if (number >= lowest) { // the program has filled them meanwhile, or this object has
                ::close(number);
                if (count_ == 0) standard_number_is_free.store(false, std::memory_order_relaxed);
                return;
            }
            numbers_[count_] = number;
        }
    }
    ~occupied_standard_numbers()
    {
        const int error = errno;
        for (int i = 0; i < count_; ++i)
            ::close(numbers_[i]);
        errno = error;
    }
    occupied_standard_numbers(const occupied_standard_numbers&)            = delete;
    occupied_standard_numbers& operator=(const occupied_standard_numbers&) = delete;

private:
    int numbers_[lowest];
    int count_ = 0;
};

// Owns a number that the kernel has just given this process.
unique_fd owner_of(int number) noexcept
{
    // Another object still claims the number: other code has closed that object's descriptor, and perhaps more of them.
    if (number >= 0 && descriptor_claims::is_taken(number)) descriptor_claims::doubt();
    return unique_fd(number);
}

unique_fd above_standard(int number) noexcept
{
    if (number < 0 || number >= lowest) [[likely]]
        return owner_of(number);
    standard_number_is_free.store(true, std::memory_order_relaxed);
    const int moved = ::fcntl(number, F_DUPFD_CLOEXEC, lowest);
    const int error = errno == EINVAL ? EMFILE : errno; // EINVAL: the limit is below that
    ::close(number);
    errno = error;
    return owner_of(moved);
}

template <class Call>
unique_fd made_by(Call call) noexcept
{
    const occupied_standard_numbers meanwhile;
    return above_standard(static_cast<int>(uninterrupted(call)));
}

// Moves both numbers above the standard ones, or neither.
bool above_standard(const int (&numbers)[2], unique_fd& one, unique_fd& other) noexcept
{
    one             = above_standard(numbers[0]);
    const int error = errno;
    other           = above_standard(numbers[1]);
    if (one && other) return true;
    const int reason = one ? errno : error;
    one.reset();
    other.reset();
    errno = reason;
    return false;
}

// Whether a filter of system calls denied the call.
bool is_denied(int error) noexcept { return error == EPERM || error == EACCES || error == ENOSYS; }

} // namespace

unique_fd open(const char* path, int flags, mode_t mode) noexcept
{
    return made_by([&] { return ::open(path, flags | O_CLOEXEC, mode); });
}

unique_fd open_at(int directory, const char* path, int flags, mode_t mode) noexcept
{
    return made_by([&] { return ::openat(directory, path, flags | O_CLOEXEC, mode); });
}

unique_fd memory(const char* name, unsigned flags) noexcept
{
    return made_by([&] { return ::memfd_create(name, flags | MFD_CLOEXEC); });
}

unique_fd socket(int family, int type, int protocol) noexcept
{
    return made_by([&] { return ::socket(family, type | SOCK_CLOEXEC, protocol); });
}

unique_fd accept(int listener, sockaddr* peer, socklen_t* size, int flags) noexcept
{
    unique_fd accepted = made_by([&] { return ::accept4(listener, peer, size, flags | SOCK_CLOEXEC); });
    if (accepted || !is_denied(errno)) return accepted;
    // accept(2) and then the flags: in between, another thread's exec may inherit the descriptor.
    accepted = made_by([&] { return ::accept(listener, peer, size); });
    if (!accepted) return accepted;
    ::fcntl(accepted.get(), F_SETFD, FD_CLOEXEC);
    if ((flags & SOCK_NONBLOCK) != 0) ::fcntl(accepted.get(), F_SETFL, ::fcntl(accepted.get(), F_GETFL) | O_NONBLOCK);
    return accepted;
}

unique_fd epoll() noexcept
{
    return made_by([] { return ::epoll_create1(EPOLL_CLOEXEC); });
}

unique_fd event() noexcept
{
    return made_by([] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
}

unique_fd timer() noexcept
{
    return made_by([] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); });
}

unique_fd signals(const sigset_t& which) noexcept
{
    return made_by([&] { return ::signalfd(-1, &which, SFD_CLOEXEC | SFD_NONBLOCK); });
}

unique_fd of_process(pid_t pid) noexcept
{
    return made_by([&] { return ::syscall(SYS_pidfd_open, pid, 0); }); // close-on-exec
}

unique_fd from_process(const unique_fd& process, int number) noexcept
{
    return made_by([&] { return ::syscall(SYS_pidfd_getfd, process.get(), number, 0); }); // close-on-exec
}

unique_fd duplicate(int descriptor, int least) noexcept
{
    return owner_of(::fcntl(descriptor, F_DUPFD_CLOEXEC, least > lowest ? least : lowest));
}

bool pair(int family, int type, unique_fd& one, unique_fd& other) noexcept
{
    const occupied_standard_numbers meanwhile;
    int numbers[2];
    return ::socketpair(family, type | SOCK_CLOEXEC, 0, numbers) == 0 && above_standard(numbers, one, other);
}

bool pipe(unique_fd& to_read, unique_fd& to_write) noexcept
{
    const occupied_standard_numbers meanwhile;
    int numbers[2];
    return ::pipe2(numbers, O_CLOEXEC) == 0 && above_standard(numbers, to_read, to_write);
}

bool replace(const unique_fd& by, const unique_fd& target) noexcept
{
    return target && !target.doubtful() && ::dup3(by.get(), target.get(), O_CLOEXEC) >= 0;
}

ssize_t receive(int connection, msghdr& message, int flags) noexcept
{
    const occupied_standard_numbers meanwhile;
    return uninterrupted([&] { return ::recvmsg(connection, &message, flags | MSG_CMSG_CLOEXEC); });
}

unique_fd received(int number) noexcept { return above_standard(number); }

} // namespace sharedsock::detail::new_fd
