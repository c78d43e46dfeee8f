// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/file_growth.hpp"

#include "base/syscall.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sharedsock::detail::file_growth {
namespace {

bool is_above_limit(std::uint64_t size) noexcept
{
    rlimit now{};
    return ::getrlimit(RLIMIT_FSIZE, &now) == 0 && now.rlim_cur != RLIM_INFINITY && size > now.rlim_cur;
}

bool is_in(const sigset_t& set) noexcept { return ::sigismember(&set, SIGXFSZ) == 1; }

// Keeps SIGXFSZ from this thread while it lives.
class size_signal_held {
public:
    size_signal_held() noexcept
    {
        ::sigemptyset(&only_);
        ::sigaddset(&only_, SIGXFSZ);
        error_ = ::pthread_sigmask(SIG_BLOCK, &only_, &before_);
        sigset_t pending;
        if (error_ == 0 && is_in(before_)) waited_before_ = ::sigpending(&pending) == 0 && is_in(pending);
    }
    ~size_signal_held()
    {
        const int error = errno;
        if (error_ == 0 && !is_in(before_)) ::pthread_sigmask(SIG_UNBLOCK, &only_, nullptr);
        errno = error;
    }
    size_signal_held(const size_signal_held&)            = delete;
    size_signal_held& operator=(const size_signal_held&) = delete;

    int error() const noexcept { return error_; }

    // After a call that failed with EFBIG: the kernel sends the signal to the thread, from whose own signals sigtimedwait(2) takes
    // first.
    void take() const noexcept
    {
        const timespec at_once{};
        if (!waited_before_) uninterrupted([&] { return ::sigtimedwait(&only_, nullptr, &at_once); });
    }

private:
    sigset_t only_{}, before_{};
    int error_          = 0;
    bool waited_before_ = false;
};

// `make` makes the call, which reaches up to `end`, and returns its errno, or 0.
template <class Call>
error_code grown(const call_category& name, std::uint64_t end, Call make) noexcept
{
    const size_signal_held meanwhile;
    if (meanwhile.error() != 0) return error_of(sys<"rt_sigprocmask">, meanwhile.error());
    int error = EINTR;
    while (error == EINTR)
        error = make();
    if (error == EFBIG) meanwhile.take();
    if (error == EFBIG && is_above_limit(end)) return errc::file_size_limited;
    return error != 0 ? error_of(name, error) : error_code();
}

} // namespace

error_code resize(int file, std::uint64_t size) noexcept
{
    if (is_above_limit(size)) return errc::file_size_limited;
    return grown(sys<"ftruncate">, size, [&] { return ::ftruncate(file, static_cast<off_t>(size)) == 0 ? 0 : errno; });
}

// Does not ask the limit first, which does not concern pages of a file that has its size already: a process may attach to a segment
// that is larger than its own limit.
error_code allocate(int file, std::uint64_t offset, std::uint64_t length) noexcept
{
    const error_code ec = grown(sys<"fallocate">, offset + length,
                                [&] { return ::posix_fallocate(file, static_cast<off_t>(offset), static_cast<off_t>(length)); });
    return ec == boost::system::errc::no_space_on_device ? make_error_code(errc::directory_full) : ec;
}

error_code write(int file, std::uint64_t offset, std::span<const std::byte> bytes) noexcept
{
    const std::uint64_t end = offset + bytes.size();
    if (is_above_limit(end)) return errc::file_size_limited;
    std::size_t done = 0;
    return grown(sys<"pwrite64">, end, [&] {
        while (done < bytes.size()) {
            const ssize_t written = ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
            if (written < 0) return errno;
            done += static_cast<std::size_t>(written);
        }
        return 0;
    });
}

} // namespace sharedsock::detail::file_growth
