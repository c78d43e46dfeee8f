// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "restart/gift_ledger.hpp"
#include "restart/message.hpp"
#include "restart/service.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sharedsock::restart::detail {

/// The successor's end of an upgrade: it takes.
///
/// The predecessor may end the upgrade at any moment, and may be killed at any moment. If a message of this end does not go
/// through, it is one of the two, and the end of the connection tells which: the predecessor sets the verdict before it closes,
/// unless it was killed before it took anything back. Only in the second case all that it had given is this generation's.
class predecessor_link {
public:
    predecessor_link(service& home, conversation talk, unique_fd verdict) noexcept
        : home_(home), talk_(std::move(talk)), verdict_(std::move(verdict))
    {}

    enum class outcome : std::uint8_t { goes_on, serving, dismissed };
    outcome work(time_point now);
    time_point deadline() const noexcept { return retry_; }

    void ready();
    void leave(std::string_view why) noexcept;
    connection take(std::uint64_t number, error_code& ec);
    void decline(std::uint64_t number, std::string_view reason, error_code& ec);
    bool has_offers() const noexcept { return !offers_.empty(); }

    int native_handle() const noexcept { return talk_.native_handle(); } ///< -1: the predecessor has ended
    bool waits_to_send() const noexcept { return talk_.waits_to_send(); }
    void close() noexcept { talk_.close(); } ///< in a forked child: the connection is its parent's

private:
    std::optional<outcome> handle(arrived_message& got);
    void offer(arrived_message& got);
    void send_declined(std::uint64_t number, std::string_view reason);
    outcome dismiss(const error_code& why, std::string text);
    outcome inherit(time_point now);
    outcome serve();
    void offer_again();
    std::string who() const;

    service& home_;
    conversation talk_;
    unique_fd verdict_;
    std::map<std::uint64_t, gift_entry> offers_; // those without an answer
    std::vector<std::uint64_t> again_;           // those that could not be taken yet
    bool is_over_     = false;                   // the predecessor has given all, and waits for `serving`
    bool is_dead_     = false;                   // the predecessor
    time_point retry_ = time_point::max();
    std::optional<time_point> give_up_;
};

} // namespace sharedsock::restart::detail
