// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace soak {

inline constexpr std::uint32_t workers     = 12;
inline constexpr std::uint32_t connections = 24;
inline constexpr std::uint32_t listener    = connections; ///< the place of the listening socket among the sockets
inline constexpr std::uint32_t sockets     = connections + 1;
inline constexpr std::size_t chunk         = 64; ///< a worker takes no more at once

/// What the workers tell the judge, beside the segment. A worker that is killed leaves here where it stood.
struct ledger {
    std::atomic<bool> end;
    std::atomic<std::uint32_t> quiet; ///< number of the quiet period; odd while it lasts
    std::atomic<std::uint64_t> socket_id[sockets];
    std::atomic<std::uint64_t> received[sockets]; ///< bytes, or connections accepted
    struct desk {
        std::atomic<std::uint32_t> settled;                   ///< the quiet period it keeps
        std::atomic<std::uint32_t> in_hand;                   ///< the socket + 1 that it is taking from, 0: none
        std::atomic<std::uint32_t> handles[sockets];          ///< open handles
        std::atomic<std::uint64_t> operations, refused, made; ///< calls; those that gave an error that may be; own sockets
        char finding[240];                                    ///< why it gave up
    } desks[workers];
};

/// The ledger in a file of its own, which the workers map as well.
class shared_ledger {
public:
    explicit shared_ledger(const std::string& path, bool make)
    {
        const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_EXCL : 0), 0600);
        if (file < 0 || (make && ::ftruncate(file, sizeof(ledger)) != 0))
            throw std::system_error(errno, std::generic_category(), path);
        void* const at = ::mmap(nullptr, sizeof(ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        if (at == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
        ledger_ = static_cast<ledger*>(at);
    }
    ~shared_ledger() { ::munmap(ledger_, sizeof(ledger)); }
    shared_ledger(const shared_ledger&)            = delete;
    shared_ledger& operator=(const shared_ledger&) = delete;
    ledger* operator->() const noexcept { return ledger_; }

private:
    ledger* ledger_;
};

} // namespace soak
