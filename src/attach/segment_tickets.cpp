// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attached.hpp"

#include <sharedsock/segment.hpp>

#include <cstdint>
#include <vector>

namespace sharedsock {

using detail::member_of;
using detail::membership;

std::vector<waiting_ticket> segment::waiting_tickets()
{
    std::vector<waiting_ticket> waiting;
    const membership* const member = attachment_ ? attachment_->member() : nullptr;
    if (member == nullptr) return waiting;
    for (const detail::mail_message& text : attachment_->waiting_messages()) {
        waiting_ticket one;
        one.value.segment           = uuid();
        one.value.handle            = text.handle;
        one.value.handle_generation = text.handle_generation;
        one.value.nonce             = text.nonce;
        const auto* const record    = detail::handle_table::find(member->bytes(), {text.handle, text.handle_generation});
        one.value.target_pid        = record != nullptr ? record->target_pid.load() : 0;
        if (one.value.target_pid == 0) one.value.target = member->self();
        one.source = {text.sender, text.sender_generation};
        waiting.push_back(one);
    }
    return waiting;
}

bool segment::revoke(const ticket& value, error_code& ec)
{
    ec.clear();
    membership* const member = member_of(*this, ec);
    if (member == nullptr) return false;
    if (value.segment != attachment_->uuid()) {
        ec = errc::ticket_foreign_segment;
        return false;
    }
    const detail::record_id record{value.handle, value.handle_generation};
    const detail::handle_record* const found = detail::handle_table::find(member->bytes(), record);
    if (found == nullptr || found->nonce.load() != value.nonce) return false;
    const detail::handle_life life = load(*found);
    if (life.state == detail::handle_state::held) return false;
    if (!member->names_target(record, value.target, value.target_pid)) {
        if (load(*found).encode() == life.encode()) ec = errc::ticket_malformed; // else it was redeemed at this moment
        return false;
    }
    const std::uint32_t who    = life.process; // this process has the descriptor
    const std::uint32_t socket = found->socket.load();
    const std::uint32_t source = detail::offer_source::decode(found->source).index; // and this one keeps it, if it is by pid
    const bool by_pid          = found->target_pid != 0;
    if (!member->withdraw_ticket(record, ec)) return false;
    attachment_->forget_descriptors();
    if (who == member->self().index)
        attachment_->drop_dead_messages();
    else
        member->ring(who, socket); // if it serves, it drops the descriptor now
    if (by_pid && source != who && source != member->self().index) member->ring(source, socket);
    return true;
}

bool segment::revoke(const ticket& value)
{
    return detail::or_throw("sharedsock::segment::revoke", [&](error_code& ec) { return revoke(value, ec); });
}

} // namespace sharedsock
