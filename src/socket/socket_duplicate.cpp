// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Duplicating and redeeming: how a handle reaches another process (DUP-2 to DUP-10).
#include "attach/attached.hpp"
#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/process_identity.hpp"
#include "base/syscall.hpp"
#include "member/name_table.hpp"
#include "socket/offer.hpp"
#include "tables/process_table.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace sharedsock {
namespace {

using detail::attachment;
using detail::mail_message;
using detail::member_of;
using detail::membership;
using detail::record_id;

ticket make_ticket(attachment& where, record_id handle, std::uint64_t nonce)
{
    ticket made;
    made.segment           = where.uuid();
    made.handle            = handle.index;
    made.handle_generation = handle.generation;
    made.nonce             = nonce;
    return made;
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
    const detail::handle_life life = load(*record);
    const bool kept                = life.state == detail::handle_state::kept;
    const bool offered             = life.state == detail::handle_state::offered ||
                         life.state == detail::handle_state::handing; // the source is about to set `offered`
    if (life.generation != name.generation || (!kept && !offered)) {
        ec = errc::ticket_used;
        return {};
    }
    detail::process_identity mine;
    if (kept && record->target_pid == ::getpid()) {
        mine = detail::this_process();
        if (!mine.known()) { // no descriptor to read it by
            ec = detail::last_error(mine.start_time == 0 ? detail::sys<"openat"> : detail::sys<"newfstatat">);
            if (!detail::proc_is_mounted()) ec = errc::proc_not_mounted;
            return {};
        }
    }
    // The segment decides. A ticket that says anything else is refused: if one field was changed, others may have been too.
    const process_id source{record->source, 0};
    const auto still_good = [&] {
        if (!kept) return self.judge_offer(name, nonce, source) == membership::offer_standing::good;
        return detail::handle_table::find(self.bytes(), name) != nullptr && load(*record).state == life.state;
    };
    const bool for_us = kept ? mine.known() && record->target == mine.stamp()
                             : self.judge_offer(name, nonce, source) != membership::offer_standing::forged;
    if (!for_us) {
        ec = errc::ticket_wrong_process;
        return {};
    }
    if (!self.names_target(name, value.target, value.target_pid)) {
        ec = still_good() ? errc::ticket_malformed : errc::ticket_used;
        return {};
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
    // `commit_offer` asks the kernel, once, whether the target lives.
    if (!detail::process_table::is_incarnation(self->bytes(), target.index, target.generation)) {
        ec = errc::target_gone;
        return {};
    }
    const std::uint64_t nonce = detail::new_nonce(mail_message::kind::offer, ec);
    if (ec) return {};
    const detail::socket_and_handle which{impl_->socket(), self->prepare_offer(impl_->socket(), nonce, target, ec)};
    if (ec) return {};
    attachment& where       = impl_->where();
    const mail_message text = detail::make_offer(mail_message::kind::offer, *impl_, *self, which.handle, nonce, target);
    where.box().send(target.index, text, impl_->fd(), ec);
    if (ec) {
        where.give_up(which);
        return {};
    }
    if (!self->commit_offer(which, target)) {
        ec = errc::target_gone;
        return {};
    }
    ticket made = make_ticket(where, which.handle, nonce);
    made.target = target;
    return made;
}

ticket shared_socket::duplicate(process_id target) const
{
    return detail::or_throw("sharedsock::shared_socket::duplicate", [&](error_code& ec) { return duplicate(target, ec); });
}

ticket shared_socket::duplicate_for_pid(std::int32_t pid, error_code& ec) const
{
    if (impl_ == nullptr) {
        ec = errc::closed_handle;
        return {};
    }
    std::optional<process_id> attached;
    try {
        attached = where().find_process(pid);
    } catch (const system_error& failure) {
        ec = failure.code();
        return {};
    }
    if (attached) return duplicate(*attached, ec);
    const detail::seen_process target = detail::process_called(pid, ec);
    if (ec) return {};
    membership* const self = impl_->member(ec);
    if (self == nullptr) return {};
    const std::uint64_t nonce = detail::new_nonce(mail_message::kind::offer, ec);
    if (ec) return {};
    const record_id record = self->prepare_ticket(impl_->socket(), nonce, ec);
    if (ec) return {};
    const detail::socket_and_handle which{impl_->socket(), record};
    detail::unique_fd descriptor = detail::new_fd::duplicate(impl_->fd()); // the ticket has a descriptor of its own (DUP-6)
    if (!descriptor) {
        ec = detail::last_error(detail::sys<"fcntl">);
        impl_->where().give_up(which);
        return {};
    }
    self->bytes().handle(record.index)->descriptor = descriptor.get();
    try {
        impl_->where().keep_descriptor(which, target, std::move(descriptor));
    } catch (const std::bad_alloc&) {
        impl_->where().give_up(which);
        throw;
    }
    self->keep_ticket(record, target.identity);
    ticket made     = make_ticket(impl_->where(), record, nonce);
    made.target_pid = target.identity.pid;
    return made;
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
