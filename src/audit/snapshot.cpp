// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/snapshot.hpp"

#include "base/syscall.hpp"
#include "store/liveness_lock.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::command {
namespace {

constexpr int most_looks = 8;

} // namespace

snapshot snapshot::take(const std::string& name, const segment_options& options, error_code& ec)
{
    const auto file = detail::segment_file::open(name, options, ec);
    if (ec) {
        return {};
    }
    const auto life = detail::liveness_lock::open(file->directory(), file->plan().capacity.processes);

    snapshot result;
    result.plan_ = file->plan();
    void* const space =
        ::mmap(nullptr, result.plan_.size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) {
        throw std::bad_alloc();
    }
    result.copy_  = {static_cast<std::byte*>(space), unmap{result.plan_.size_bytes}};
    result.bytes_ = detail::table_view(result.copy_.get(), result.plan_);

    for (int look = 0; look < most_looks && !result.steady_; ++look) {
        result.steady_ = !result.refresh(file->memory(), ec);
        if (ec) {
            return {};
        }
        if (result.steady_) {
            break; // the living were determined between two equal looks, so both fit together
        }
        result.alive_.assign(result.plan_.capacity.processes, false);
        for (std::uint32_t index = 0; index < result.alive_.size(); ++index) {
            result.alive_[index] = load(*result.bytes_.process(index)).used && life->held(index);
        }
    }

    result.in_use_ = life->any_held();
    struct stat status;
    if (::fstat(file->memory(), &status) == 0) {
        result.memory_bytes_ = static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return result;
}

// Brings the copy up to date; whether it had to change.
bool snapshot::refresh(int memory, error_code& ec)
{
    bool changed       = false;
    const auto records = [&](std::uint64_t table, std::uint64_t count, std::size_t size) {
        changed = (!ec && copy(memory, table, table + count * size, ec)) || changed;
    };
    changed = copy(memory, 0, plan_.handle_map_offset, ec); // header, processes and names; the hints do not matter
    records(plan_.handles_offset, bytes_.handles_backed(), sizeof(detail::handle_record));
    records(plan_.sockets_offset, bytes_.sockets_backed(), sizeof(detail::socket_slot));
    return changed;
}

bool snapshot::copy(int memory, std::uint64_t begin, std::uint64_t end, error_code& ec)
{
    ec           = {};
    bool changed = false;
    std::array<std::byte, std::size_t{64} * 1024> piece;
    while (begin < end) {
        const std::size_t wanted = std::min<std::uint64_t>(piece.size(), end - begin);
        const ssize_t got = detail::uninterrupted([&] { return ::pread(memory, piece.data(), wanted, static_cast<off_t>(begin)); });
        if (got <= 0) {
            ec = got < 0 ? detail::last_error(detail::sys<"pread64">) : make_error_code(errc::truncated_segment);
            return changed;
        }
        const auto size      = static_cast<std::size_t>(got);
        std::byte* const own = copy_.get() + begin;
        if (std::memcmp(own, piece.data(), size) != 0) {
            std::memcpy(own, piece.data(), size);
            changed = true;
        }
        begin += size;
    }
    return changed;
}

void snapshot::unmap::operator()(std::byte* memory) const noexcept { ::munmap(memory, size); }

} // namespace sharedsock::command
