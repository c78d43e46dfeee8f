// The common state of a segment without all that stands above it: tables in shared memory, lock files, doorbells, and the
// memberships of processes that are forked for one test. No attachment is involved, so the atfork machinery of the library
// is not either.
#pragma once

#include "base/unique_fd.hpp"
#include "ipc/doorbell.hpp"
#include "member/membership.hpp"
#include "store/liveness_lock.hpp"
#include "support/unique_name.hpp"
#include "tables/table_view.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace test {

using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::process_id;
using namespace sharedsock::detail; // these tests are about its content

inline constexpr std::uint32_t read_event  = 0x01;
inline constexpr std::uint32_t all_events  = 0x3f;
inline constexpr std::uint32_t some_events = 0x21;

/// Memory of a test, shared with the children that are forked while it lives.
class shared_memory {
public:
    explicit shared_memory(std::size_t size);
    ~shared_memory();
    shared_memory(const shared_memory&) = delete;

    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    std::byte* data_;
    std::size_t size_;
};

/// A small segment with pages for all of its records, and a scratch directory.
class core_segment {
public:
    static constexpr capacities small{.processes = 8, .names = 4, .handles = 16, .sockets = 8};

    explicit core_segment(const capacities& wanted = small);

    const table_view& bytes() const noexcept { return bytes_; }
    int directory() const noexcept { return directory_.get(); }

    /// The bytes as they are now, to be put back later: cheaper than making the same state anew.
    std::vector<std::byte> copy() const;
    void restore(const std::vector<std::byte>& copied) noexcept;

    /// fork(2), with the work of the library's fork hook. The child runs `body` and ends, by SIGKILL if it returns.
    pid_t fork(const std::function<void()>& body);
    /// Has a process run `body` and die; returns when the kernel has reported the death.
    void die_after(const std::function<void()>& body);

private:
    segment_plan plan_;
    shared_memory memory_;
    scratch_directory scratch_;
    unique_fd directory_;
    table_view bytes_;
};

/// One process's side. For the tables, its destruction without `detach` is a death.
class core_member {
public:
    static constexpr std::chrono::milliseconds usual_patience{200};

    explicit core_member(const core_segment& segment, std::chrono::nanoseconds limit = usual_patience);
    core_member(const core_member&) = delete;

    void attach(); ///< and opens its doorbell; throws if it cannot

    membership* operator->() noexcept { return &self; }
    socket_slot& slot(record_id socket) noexcept { return *self.bytes().socket(socket.index); }
    registration_word word(record_id socket) noexcept { return load(slot(socket).registration); }

    bool rung() const noexcept;                  ///< its bell is readable
    std::vector<std::uint32_t> heard() noexcept; ///< takes all ids that were rung

    /// The first invariant that does not hold among processes that do nothing at this moment; empty if all do. Every lock can
    /// be had; nothing is in the name of the dead; a slot is live if and only if its list of handles is whole and not empty;
    /// nothing is half made. Hints may be wrong.
    std::string audit();
    /// Names all that is left besides the memberships of the living; empty if nothing is.
    std::string leftover();

    std::shared_ptr<liveness_lock> life;
    doorbells bells;
    membership self;

private:
    struct all_backed final : page_source {
        void back_handle(std::uint32_t, error_code&) noexcept override {}
        void back_socket(std::uint32_t, error_code&) noexcept override {}
    } pages_;
};

} // namespace test
