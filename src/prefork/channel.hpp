// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/process_id.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sharedsock::prefork::detail {

using sharedsock::detail::unique_fd;

/// A message between a supervisor and a worker: one packet of a socket pair.
struct message {
    /// Each side passes over a kind that it does not know: after an upgrade, supervisor and worker are of different versions.
    enum class kind : std::uint32_t {
        ready = 1,
        failed,
        drain,
        appeared,
        leaving,  ///< a signal has asked the worker to drain
        retiring, ///< the worker asks for a successor
    };

    static constexpr std::size_t text_size = 240;

    kind what;
    std::uint32_t index      = 0; ///< of `appeared`: the process_id; of `failed`: errno, or 0
    std::uint32_t generation = 0;
    std::uint32_t size       = 0;
    char text[text_size]     = {}; ///< of `failed`
};

message make_message(message::kind what, process_id who = {}) noexcept;
/// Takes the beginning of a long reason. `error`: errno of the system call that kept a worker from being set up.
message make_failure(std::string_view reason, int error = 0) noexcept;
error_code error_of(const message& one) noexcept; ///< the error of a failure; none if no system call failed
std::string text_of(const message& one);

/// One end of such a pair. No call waits.
class channel {
public:
    channel() noexcept = default;
    explicit channel(unique_fd end) noexcept : end_(std::move(end)) {}

    struct pair;
    static pair make(error_code& ec) noexcept;

    void send(const message& one, error_code& ec) const noexcept;

    enum class arrival { message, nothing, end };
    arrival receive(message& one) const noexcept; ///< skips packets that are no such message

    int native_handle() const noexcept { return end_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(end_); }
    unique_fd& descriptor() noexcept { return end_; }
    void close() noexcept { end_.reset(); }

private:
    unique_fd end_;
};

struct channel::pair {
    channel parents;
    channel workers;
};

} // namespace sharedsock::prefork::detail
