// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Duplicating and redeeming: how a handle reaches another process (DUP-2 to DUP-10).
#include "attach/attached.hpp"
#include "base/file_reading.hpp"
#include "base/process_identity.hpp"
#include "base/syscall.hpp"
#include "member/name_table.hpp"
#include "socket/offer.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace sharedsock {
namespace {

using detail::attachment;
using detail::mail_message;
using detail::member_of;
using detail::membership;
using detail::record_id;

ticket make_ticket(const attachment& where, const detail::offer& made)
{
    ticket result;
    result.segment           = where.uuid();
    result.handle            = made.handle.index;
    result.handle_generation = made.handle.generation;
    result.nonce             = made.nonce;
    return result;
}

membership* member_behind(const detail::handle* handle, error_code& ec)
{
    if (handle != nullptr) return handle->member(ec);
    ec = errc::closed_handle;
    return nullptr;
}

// The one redemption: the record becomes a handle of this process.
std::shared_ptr<detail::handle> redeem_record(attachment& at, membership& self, const ticket& value, error_code& ec)
{
    const record_id name{value.handle, value.handle_generation};
    const std::uint64_t nonce                 = value.nonce;
    const detail::handle_record* const record = detail::handle_table::find(self.bytes(), name);
    if (record == nullptr || record->nonce.load() != nonce || !is_nonce_of(mail_message::kind::offer, nonce)) {
        ec = errc::ticket_used;
        return {};
    }
    detail::handle_life life = load(*record);
    bool kept                = life.state == detail::handle_state::kept;
    const bool offered       = life.state == detail::handle_state::offered ||
                         life.state == detail::handle_state::handing; // the source is about to set `offered`
    if (life.generation != name.generation || (!kept && !offered)) {
        ec = errc::ticket_used;
        return {};
    }
    const process_id source{detail::offer_source::decode(record->source).index, 0};
    // A ticket by pid that does not lie in this attachment's mailbox: its process has attached since, or has executed another
    // program since.
    const bool elsewhere = life.state == detail::handle_state::offered && life.process != self.self().index;
    const bool by_pid    = record->target_pid != 0 && (kept || elsewhere);
    detail::process_identity mine;
    if (by_pid && record->target_pid == ::getpid()) {
        mine = detail::this_process();
        if (!mine.known()) { // no descriptor to read it by
            ec = detail::last_error(mine.start_time == 0 ? detail::sys<"openat"> : detail::sys<"newfstatat">);
            if (!detail::proc_is_mounted()) ec = errc::proc_not_mounted;
            return {};
        }
    }
    // The segment decides. A ticket that says anything else is refused: if one field was changed, others may have been too.
    const auto still_good = [&] {
        if (!kept) return self.judge_offer(name, nonce, source) == membership::offer_standing::good;
        return detail::handle_table::find(self.bytes(), name) != nullptr && load(*record).state == life.state;
    };
    const bool for_us = by_pid ? mine.known() && record->target == mine.stamp()
                               : self.judge_offer(name, nonce, source) != membership::offer_standing::forged;
    if (!for_us) {
        ec = errc::ticket_wrong_process;
        return {};
    }
    if (!self.names_target(name, value.target, value.target_pid)) {
        ec = (by_pid && !kept) || still_good() ? errc::ticket_malformed : errc::ticket_used;
        return {};
    }
    if (by_pid && !kept) { // it was offered to an attachment of this process that has ended with its program
        self.return_ticket(name, ec);
        life = load(*record);
        kept = life.state == detail::handle_state::kept;
        if (!ec && !(kept && life.generation == name.generation)) ec = errc::ticket_used;
        if (ec) return {};
    }
    const record_id socket{record->socket.load(), record->socket_generation.load()};
    if (detail::socket_table::find(self.bytes(), socket) == nullptr) { // a socket cannot end while a ticket holds it
        ec = still_good() ? errc::segment_damaged : errc::ticket_used;
        return {};
    }

    // After this call nothing fails for want of memory. If there is no room for a descriptor, the ticket stays as it was (DUP-9).
    auto redeemed = detail::handle::reserve(at.shared_from_this(), self, socket);
    detail::unique_fd descriptor;
    if (!kept) descriptor = at.redeem_offered(name, nonce, ec);
    if (ec) return {};
    if (descriptor) {
        redeemed->open(name, std::move(descriptor));
        return redeemed;
    }

    // The source kept the descriptor, or the message was lost: then any holder can supply one.
    descriptor = at.fetch_descriptor(socket, ec, kept ? std::optional(life.process) : std::nullopt);
    if (!still_good() && (descriptor || ec == errc::no_serving_holder || ec == errc::closed_handle))
        ec = errc::ticket_used; // another thread redeemed it meanwhile, it was revoked, or its source died
    else if (!kept && ec == errc::no_serving_holder)
        ec = errc::ticket_descriptor_lost;
    if (!ec && !(kept ? self.redeem_kept(name) : self.take_offered(name, nonce, source))) ec = errc::ticket_used;
    if (ec) return {};
    if (kept) self.ring(life.process, socket.index); // the source need not keep a descriptor any more
    redeemed->open(name, std::move(descriptor));
    return redeemed;
}

} // namespace

ticket shared_socket::duplicate(process_id target, error_code& ec) const
{
    membership* const self = member_behind(impl_.get(), ec);
    if (self == nullptr) return {};
    const detail::offer sent = detail::send_offer(*impl_, *self, mail_message::kind::offer, target, nullptr, nullptr, ec);
    if (ec) return {};
    ticket made = make_ticket(impl_->where(), sent);
    made.target = target;
    return made;
}

ticket shared_socket::duplicate(process_id target) const
{
    return detail::or_throw("sharedsock::shared_socket::duplicate", [&](error_code& ec) { return duplicate(target, ec); });
}

ticket shared_socket::duplicate_for_pid(std::int32_t pid, error_code& ec) const
{
    membership* const self = member_behind(impl_.get(), ec);
    if (self == nullptr) return {};
    const auto attached               = where().find_process(pid);
    const detail::seen_process target = detail::process_called(pid, ec);
    if (ec && attached) return duplicate(*attached, ec); // its program is the last that redeems the ticket
    if (ec) return {};
    detail::offer made;
    if (attached) made = detail::send_offer(*impl_, *self, mail_message::kind::offer, *attached, &target, nullptr, ec);
    // Not attached, or in this moment it has executed another program.
    if (!attached || ec == errc::target_gone) made = detail::keep_offer(*impl_, *self, target, ec);
    if (ec) return {};
    ticket result     = make_ticket(impl_->where(), made);
    result.target_pid = target.identity.pid;
    return result;
}

ticket shared_socket::duplicate_for_pid(std::int32_t pid) const
{
    return detail::or_throw("sharedsock::shared_socket::duplicate_for_pid",
                            [&](error_code& ec) { return duplicate_for_pid(pid, ec); });
}

shared_socket shared_socket::redeem(const segment& where, const ticket& value, error_code& ec)
{
    membership* const self = member_of(where, ec);
    if (self == nullptr) return {};
    attachment& at = *where.attachment();
    if (value == ticket()) {
        ec = errc::ticket_malformed;
        return {};
    }
    if (value.segment != at.uuid()) {
        ec = errc::ticket_foreign_segment;
        return {};
    }
    auto redeemed = redeem_record(at, *self, value, ec);
    if (ec == errc::ticket_used) at.drop_dead_messages(); // with the ticket's descriptor, if it was revoked (DUP-8)
    return shared_socket(std::move(redeemed));
}

shared_socket shared_socket::redeem(const segment& where, const ticket& value)
{
    return detail::or_throw("sharedsock::shared_socket::redeem", [&](error_code& ec) { return redeem(where, value, ec); });
}

shared_socket shared_socket::open_published(const segment& where, std::string_view name, error_code& ec)
{
    membership* const self = member_of(where, ec);
    if (self == nullptr) return {};
    attachment& at         = *where.attachment();
    const record_id socket = detail::name_table::find(*self, name, ec);
    if (ec) {
        at.drop_dead_messages(); // perhaps a late answer to an earlier try
        return {};
    }
    detail::unique_fd descriptor = at.fetch_descriptor(socket, ec);
    const record_id record       = ec ? record_id() : self->open_handle(socket, ec);
    if (ec == errc::closed_handle) ec = errc::name_not_published; // the last holder has died or closed meanwhile
    if (ec) return {};
    return shared_socket(detail::handle::make(where.attachment(), *self, {socket, record}, std::move(descriptor)));
}

shared_socket shared_socket::open_published(const segment& where, std::string_view name)
{
    return detail::or_throw("sharedsock::shared_socket::open_published",
                            [&](error_code& ec) { return open_published(where, name, ec); });
}

} // namespace sharedsock
