// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A worker's moves with handles: it opens and closes them, and sends other workers tickets for more. P6 is seen here.
#include "fault/harness/storm_worker.hpp"
#include "tables/handle_table.hpp"

#include <atomic>
#include <cstdint>

namespace test::storm {
namespace {

std::uint64_t pack(record_id id) { return id.as_number(); }
record_id unpack(std::uint64_t number) { return {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32)}; }

} // namespace

void worker::open(std::uint32_t i)
{
    error_code ec;
    const record_id handle = member_->open_handle(theatre_.places[i].socket, ec);
    if (had(ec)) {
        holds_[i] = {.handle = handle};
        look(i);
    }
}

void worker::close(std::uint32_t i)
{
    forget(i);
    error_code ec;
    member_->close_handle(which(i), holds_[i].epoch, ec);
    believe(i, 0);
    if (had(ec)) { // else it is still open, and nothing but the registration is gone
        holds_[i] = {};
        ghost_.closes.fetch_add(1);
    }
}

void worker::send_ticket(std::uint32_t i)
{
    const std::uint32_t target = any(storm_sizes.processes);
    const process_id who{target, load(*member_->bytes().process(target)).generation};
    if (target == me() || target == 0 || ghost_.post[target].load() != 0 || !member_->alive(who)) { // 0: the judge
        return;
    }
    error_code ec;
    const std::uint64_t nonce        = ghost_.next_ticket.fetch_add(1) + 1; // 0 is none
    ghost_.outcomes[nonce % tickets] = 0;
    const record_id ticket           = member_->prepare_offer(theatre_.places[i].socket, nonce, who, ec);
    if (!had(ec) || !member_->commit_offer({theatre_.places[i].socket, ticket}, who)) {
        return;
    }
    std::uint64_t nothing = 0;
    const bool posted     = ghost_.post[target].compare_exchange_strong(nothing, pack(ticket) + 1);
    if ((!posted || any(2) == 0) && member_->withdraw_ticket(ticket, ec)) {
        count_outcome(ghost_.withdrawn, nonce);
    }
    had(ec);
}

void worker::take_ticket()
{
    const std::uint64_t mail_message = ghost_.post[me()].exchange(0);
    if (mail_message == 0) {
        return;
    }
    const record_id ticket            = unpack(mail_message - 1);
    const handle_record* const record = handle_table::find(member_->bytes(), ticket);
    if (record == nullptr) {
        return;
    }
    const std::uint64_t nonce = record->nonce;
    if (!member_->take_offered(ticket, nonce, {offer_source::decode(record->source).index, 0})) {
        return;
    }
    count_outcome(ghost_.redeemed, nonce);
    const std::uint32_t socket = record->socket;
    if (holds_[socket].handle) {
        redeemed_.push_back({theatre_.places[socket].socket, ticket});
    } else {
        holds_[socket] = {.handle = ticket};
    }
}

void worker::close_redeemed()
{
    if (redeemed_.empty()) {
        return;
    }
    error_code ec;
    member_->close_handle(redeemed_.back(), 0, ec);
    if (had(ec)) {
        redeemed_.pop_back();
    }
}

void worker::count_outcome(std::atomic<std::uint64_t>& kind, std::uint64_t nonce)
{
    kind.fetch_add(1);
    if (ghost_.outcomes[nonce % tickets].fetch_add(1) != 0) {
        ghost_.p6.fetch_add(1);
    }
}

} // namespace test::storm
