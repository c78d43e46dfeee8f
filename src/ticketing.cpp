// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Duplicating and redeeming: how a handle reaches another process (DUP-2 to DUP-10).
#include "attachment.hpp"
#include "handle.hpp"
#include "last_error.hpp"
#include "name_table.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cerrno>
#include <csignal>
#include <unistd.h>

namespace sharedsock {
namespace {

using detail::attachment;
using detail::letter;
using detail::membership;
using detail::record_id;

ticket make_ticket(attachment& where, record_id handle, std::uint64_t nonce)
{
    ticket made;
    made.segment = where.uuid();
    made.handle = handle.index;
    made.handle_generation = handle.generation;
    made.nonce = nonce;
    return made;
}

// The common beginning: a counted handle record that will be the ticket.
record_id prepare(const detail::handle* handle, membership*& self, std::uint64_t nonce, error_code& ec)
{
    if (handle == nullptr) {
        ec = errc::closed_handle;
        return {};
    }
    self = handle->member(ec);
    return self == nullptr ? record_id{} : self->prepare_ticket(handle->socket(), nonce, ec);
}

} // namespace

ticket shared_socket::duplicate(process_id target, error_code& ec) const
{
    membership* self = nullptr;
    const std::uint64_t nonce = detail::random_number();
    const record_id record = prepare(impl_.get(), self, nonce, ec);
    if (ec) return {};
    attachment& where = impl_->where();
    const detail::socket_and_handle which{impl_->socket(), record};

    // First the letter, then the offer: if we die in between, the record is ours still and is swept, and the target drops a
    // letter whose record is gone. The other way round it would hold a reference that nobody can redeem or revoke.
    if (self->alive(target)) {
        letter offer;
        offer.handle = record.index;
        offer.handle_generation = record.generation;
        offer.socket = which.socket.index;
        offer.socket_generation = which.socket.generation;
        offer.nonce = nonce;
        offer.cookie = impl_->slot().cookie;
        offer.sender = self->self().index;
        offer.sender_generation = self->self().generation;
        offer.receiver = target.index;
        offer.receiver_generation = target.generation;
        where.box().send(target.index, offer, impl_->fd(), ec);
    } else {
        ec = errc::target_gone;
    }
    if (ec) {
        error_code stopped; // a slot that is locked by a stopped process: later
        self->close_handle(which, 0, stopped);
        if (stopped) where.close_later(which);
        return {};
    }
    self->offer_ticket(which, target, ec);
    if (ec) return {};
    ticket made = make_ticket(where, record, nonce);
    made.target = target;
    return made;
}

ticket shared_socket::duplicate(process_id target) const
{
    error_code ec;
    ticket made = duplicate(target, ec);
    throw_if(ec, "sharedsock::shared_socket::duplicate");
    return made;
}

ticket shared_socket::duplicate_for_pid(std::int32_t pid, error_code& ec) const
{
    if (impl_ == nullptr) {
        ec = errc::closed_handle;
        return {};
    }
    if (const auto attached = where().find_process(pid)) return duplicate(*attached, ec);
    const std::uint64_t start_time = pid > 0 ? detail::start_time_of(pid) : 0;
    if (start_time == 0) {
        ec = errc::target_gone;
        return {};
    }
    membership* self = nullptr;
    const std::uint64_t nonce = detail::random_number();
    const record_id record = prepare(impl_.get(), self, nonce, ec);
    if (ec) return {};
    self->bytes().handle(record.index)->descriptor = impl_->fd();
    self->keep_ticket(record, pid, start_time);
    ticket made = make_ticket(impl_->where(), record, nonce);
    made.target_pid = pid;
    return made;
}

ticket shared_socket::duplicate_for_pid(std::int32_t pid) const
{
    error_code ec;
    ticket made = duplicate_for_pid(pid, ec);
    throw_if(ec, "sharedsock::shared_socket::duplicate_for_pid");
    return made;
}

shared_socket shared_socket::redeem(const segment& where, const ticket& value, error_code& ec)
{
    ec.clear();
    attachment* const at = where.attachment().get();
    if (at == nullptr) {
        ec = errc::not_attached;
        return {};
    }
    membership* const self = at->member(ec);
    if (self == nullptr) return {};
    if (value == ticket()) {
        ec = errc::ticket_malformed;
        return {};
    }
    if (value.segment != at->uuid()) {
        ec = errc::ticket_foreign_segment;
        return {};
    }
    const record_id record_name{value.handle, value.handle_generation};
    detail::handle_record* const record = detail::handle_table::find(self->bytes(), record_name);
    if (record == nullptr || record->nonce.load() != value.nonce) {
        ec = errc::ticket_used;
        return {};
    }
    const detail::handle_life life = load(*record);
    const record_id socket{record->socket.load(), record->socket_generation.load()};
    const bool kept = life.state == detail::handle_state::kept;
    if (!kept && life.state != detail::handle_state::offered) {
        ec = errc::ticket_used;
        return {};
    }
    // What the segment says decides, not what the ticket says.
    const bool for_us = kept ? record->target_pid == ::getpid() && record->target_start_time == detail::start_time_of(::getpid())
                             : life.process == self->self().index && record->process_generation.load() == self->self().generation;
    if (!for_us) {
        ec = errc::ticket_wrong_process;
        return {};
    }

    detail::unique_fd descriptor;
    if (!kept) descriptor = at->take_descriptor(record_name, value.nonce, ec);
    if (ec) return {}; // no room for it: the ticket is as it was (DUP-9)
    if (!descriptor) descriptor = at->fetch_descriptor(socket, ec, kept ? std::optional(life.process) : std::nullopt);
    if (!descriptor) {
        if (ec != errc::no_serving_holder) return {};
        const bool still_there = detail::handle_table::find(self->bytes(), record_name) != nullptr &&
                                 load(*record).state == life.state; // another thread may have redeemed it meanwhile
        if (!still_there)
            ec = errc::ticket_used;
        else if (!kept)
            ec = errc::ticket_descriptor_lost;
        return {};
    }
    if (!(kept ? self->redeem_kept(record_name) : self->redeem_offered(record_name))) {
        ec = errc::ticket_used;
        return {};
    }
    return shared_socket(detail::handle::make(where.attachment(), {socket, record_name}, std::move(descriptor)));
}

shared_socket shared_socket::redeem(const segment& where, const ticket& value)
{
    error_code ec;
    shared_socket redeemed = redeem(where, value, ec);
    throw_if(ec, "sharedsock::shared_socket::redeem");
    return redeemed;
}

shared_socket shared_socket::open_published(const segment& where, std::string_view name, error_code& ec)
{
    ec.clear();
    attachment* const at = where.attachment().get();
    if (at == nullptr) {
        ec = errc::not_attached;
        return {};
    }
    membership* const self = at->member(ec);
    if (self == nullptr) return {};
    const record_id socket = detail::name_table::find(*self, name, ec);
    if (ec) return {};
    detail::unique_fd descriptor = at->fetch_descriptor(socket, ec);
    if (ec) return {};
    const record_id record = self->open_handle(socket, ec);
    if (ec) return {};
    return shared_socket(detail::handle::make(where.attachment(), {socket, record}, std::move(descriptor)));
}

shared_socket shared_socket::open_published(const segment& where, std::string_view name)
{
    error_code ec;
    shared_socket opened = open_published(where, name, ec);
    throw_if(ec, "sharedsock::shared_socket::open_published");
    return opened;
}

} // namespace sharedsock
