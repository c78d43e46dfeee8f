// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/handle.hpp"
#include "attach/outgoing_hand_over.hpp"
#include "ipc/carry.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/hand_over.hpp>
#include <sharedsock/process_id.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace sharedsock::detail {

/// How long a thread that waits for a taker sleeps at most: then it asks the kernel whether the target lives.
inline constexpr std::chrono::seconds taker_tick{1};

/// One acknowledged hand-over of this process: its message is out, and this process keeps the handle until the target has taken it.
/// All forms of giving stand on it.
///
/// Threads: one at a time. fork(2): it stays the parent's; the child's copy has come back with `operation_canceled`.
class giving final : public outgoing_hand_over {
public:
    /// Sends the hand-over. Null on failure, and then nothing has changed. Never waits.
    static std::unique_ptr<giving> begin(std::shared_ptr<handle> given, process_id target, const packed_carry& with,
                                         error_code& ec);
    ~giving(); ///< takes it back, unless it was taken
    giving(const giving&)            = delete;
    giving& operator=(const giving&) = delete;

    enum class state : std::uint8_t {
        waits,
        taken, ///< the handle has ended
        back,  ///< the handle is as it was
    };
    /// The state at this moment. It comes back with `errc::hand_over_declined` or `target_gone`. Costs a system call once a second.
    state look(error_code& ec);
    /// Ends the waiting. False: it was taken.
    bool take_back(error_code& ec);

    /// A descriptor that is readable from the settlement on, until this object ends.
    int keep_alarm(error_code& ec);

    const std::shared_ptr<handle>& given() const noexcept { return given_; }

private:
    giving(std::shared_ptr<handle> given, process_id whom) : given_(std::move(given)) { target = whom; }
    attachment& where() const noexcept { return given_->where(); }
    void came_back(bool message_may_lie_there) noexcept;
    void was_taken() noexcept;
    bool target_lives(const membership& self) noexcept;

    const std::shared_ptr<handle> given_;
    state state_ = state::waits;
    error_code why_; // it came back
    std::chrono::steady_clock::time_point ask_again_ = std::chrono::steady_clock::now() + taker_tick;
    const std::uint64_t instance_                    = process_instance();
};

/// Sends it, and waits until it is taken. On success `handed` has ended.
void hand_over(const std::shared_ptr<handle>& handed, process_id target, const carry& with, const hand_over_options& how,
               error_code& ec);

/// From now on for so long, or for as long as the clock counts.
std::chrono::steady_clock::time_point time_after(std::chrono::milliseconds limit) noexcept;

} // namespace sharedsock::detail
