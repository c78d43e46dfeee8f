// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/descriptor_claims.hpp"

#include <cstdint>
#include <utility>

#include <unistd.h>

namespace sharedsock::detail {

/// Owns one descriptor, and closes it, unless other code of this process has closed it: then the number may be another file's, and
/// the owner leaves it alone (descriptor_claims).
class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept { take(fd); }
    unique_fd(unique_fd&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), claim_(other.claim_), doubts_when_seen_(other.doubts_when_seen_)
    {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        if (this == &other) return *this;
        close();
        fd_               = std::exchange(other.fd_, -1);
        claim_            = other.claim_;
        doubts_when_seen_ = other.doubts_when_seen_;
        return *this;
    }
    ~unique_fd() { close(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor away.
    int release() noexcept
    {
        if (fd_ >= 0) descriptor_claims::give_up(fd_, claim_);
        return std::exchange(fd_, -1);
    }
    void reset(int fd = -1) noexcept
    {
        close();
        take(fd);
    }

    /// Whether another object of the library has got the number meanwhile: then this object certainly does not own it.
    bool overtaken() const noexcept { return fd_ >= 0 && !descriptor_claims::stands(fd_, claim_); }
    /// Whether the number may be another file's by now: then this object does not close it, and its owner must not write to it or
    /// poll it before it has checked the file and called `vouch`.
    bool doubtful() const noexcept { return fd_ >= 0 && (doubts_when_seen_ != descriptor_claims::doubts() || overtaken()); }
    /// The owner has checked that the number still means the same file. Does nothing for a number that was overtaken.
    void vouch() noexcept { doubts_when_seen_ = descriptor_claims::doubts(); }

    /// The number and its claim in one word, for an atomic; `unpark` makes an owner of it again. @pre it owns a descriptor
    std::uint64_t park() noexcept { return std::uint64_t{claim_} << 32 | static_cast<std::uint32_t>(std::exchange(fd_, -1)); }
    /// `doubts`: `descriptor_claims::doubts()` at a time when the descriptor was known to be good.
    static unique_fd unpark(std::uint64_t word, std::uint32_t doubts) noexcept
    {
        unique_fd one;
        one.fd_               = number_in(word);
        one.claim_            = static_cast<std::uint32_t>(word >> 32);
        one.doubts_when_seen_ = doubts;
        return one;
    }
    static int number_in(std::uint64_t word) noexcept { return static_cast<int>(static_cast<std::uint32_t>(word)); }
    static constexpr std::uint64_t parked_none = ~std::uint64_t{0}; ///< no descriptor: its number is -1

private:
    void take(int fd) noexcept
    {
        fd_ = fd;
        if (fd < 0) return;
        claim_            = descriptor_claims::take(fd);
        doubts_when_seen_ = descriptor_claims::doubts();
    }
    void close() noexcept
    {
        if (fd_ < 0) return;
        const bool doubted = doubts_when_seen_ != descriptor_claims::doubts();
        // The claim ends first: once the number is closed, another thread may be given it.
        if (descriptor_claims::give_up(fd_, claim_) && !doubted) ::close(fd_); // close(2) frees the number even if it fails
        fd_ = -1;
    }

    int fd_                         = -1;
    std::uint32_t claim_            = 0;
    std::uint32_t doubts_when_seen_ = 0;
};

} // namespace sharedsock::detail
