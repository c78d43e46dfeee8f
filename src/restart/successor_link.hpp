// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "restart/gift_ledger.hpp"
#include "restart/message.hpp"
#include "restart/service.hpp"

#include <sharedsock/error.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace sharedsock::restart::detail {

/// The predecessor's end of an upgrade: it gives, and takes back what was not taken.
///
/// A gift is the successor's from the moment at which the successor's `taken` is in this end's queue. To take back is to refuse
/// what is sent from now on (`conversation::refuse_more`), then to read what was sent before: each gift without `taken` is this
/// process's.
class successor_link {
public:
    successor_link(service& home, unique_fd connection, pid_t pid, time_point now);

    enum class outcome : std::uint8_t {
        goes_on,
        failed,  ///< this generation serves on, and has all that was not taken
        replaced ///< the successor serves
    };
    /// Stops at the first event: the program hears of a step before the next one is made, so what it does about it is not too late.
    outcome work(time_point now);
    time_point deadline() const noexcept; ///< when `work` is due, if nothing comes before

    bool takes_gifts() const noexcept { return state_ == state::giving; }
    bool was_let_in() const noexcept { return state_ >= state::giving; }  ///< it has the lock and the socket of the service as well
    bool may_serve() const noexcept { return state_ == state::finished; } ///< it has been told to
    const gift_ledger& ledger() const noexcept { return ledger_; }
    /// Owns `socket` from then on; if it throws, the socket is the caller's. Returns the number of the gift.
    /// `release` is asked for the socket when nothing else can fail; its failure, too, changes nothing.
    std::uint64_t give(gift_entry one, int socket, const std::function<int(error_code&)>& release, error_code& ec);
    void finish(time_point now);
    outcome dismiss(std::string_view reason);

    int native_handle() const noexcept { return talk_.native_handle(); }
    bool waits_to_send() const noexcept { return talk_.waits_to_send(); }
    void close() noexcept { talk_.close(); } ///< in a forked child: the connection is its parent's

private:
    enum class state : std::uint8_t { greeting, starting, giving, finishing, finished };

    std::optional<outcome> handle(const arrived_message& got, time_point now);
    std::optional<outcome> greet(const wire::message& hello, time_point now);
    bool note_answer(const wire::message& answer);
    void say_over_if_due(time_point now);
    outcome fail(const error_code& why, std::string text, bool died);
    void return_gift(gift_entry& one, const error_code& why, const std::string& text);
    std::string who() const;

    service& home_;
    conversation talk_;
    pid_t pid_;
    state state_ = state::greeting;
    gift_ledger ledger_;
    unique_fd verdict_;       // an eventfd that the successor has too; not zero: dismissed
    time_point limit_;        // of the state
    bool told_limit_ = false; // of giving, which ends with `finish` alone
};

} // namespace sharedsock::restart::detail
