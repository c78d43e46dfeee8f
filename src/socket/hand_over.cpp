// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attached.hpp"
#include "socket/offer.hpp"
#include "tables/process_table.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace sharedsock {
namespace detail {
std::uint64_t new_nonce(mail_message::kind what, error_code& ec)
{
    std::uint64_t nonce = random_number(ec);
    while (!ec && !is_nonce_of(what, nonce))
        nonce = random_number(ec);
    return nonce;
}

mail_message make_offer(mail_message::kind what, const handle& of, const membership& self, record_id record, std::uint64_t nonce,
                        process_id target) noexcept
{
    mail_message text;
    text.what                = what;
    text.handle              = record.index;
    text.handle_generation   = record.generation;
    text.socket              = of.socket().index;
    text.socket_generation   = of.socket().generation;
    text.nonce               = nonce;
    text.cookie              = of.slot().cookie;
    text.sender              = self.self().index;
    text.sender_generation   = self.self().generation;
    text.receiver            = target.index;
    text.receiver_generation = target.generation;
    return text;
}

void hand_over(handle& handed, process_id target, const carry& with, error_code& ec)
{
    membership* const self = handed.member(ec);
    if (self == nullptr) return;
    if (!process_table::is_incarnation(self->bytes(), target.index, target.generation)) {
        ec = errc::target_gone;
        return;
    }
    const packed_carry packed = pack(with, ec);
    if (ec) return;
    const std::uint64_t nonce = new_nonce(mail_message::kind::hand_over, ec);
    if (ec) return;
    const socket_and_handle record{handed.socket(), self->prepare_offer(handed.socket(), nonce, target, ec)};
    if (ec) return;
    attachment& where       = handed.where();
    const mail_message text = make_offer(mail_message::kind::hand_over, handed, *self, record.handle, nonce, target);
    where.box().send(target.index, text, handed.fd(), ec, &packed);
    if (ec) return where.give_up(record);
    // The record is the target's now: if this process dies here, the sweep ends its handle and its registration.
    if (!self->commit_offer(record, target)) {
        ec = errc::target_gone;
        return;
    }
    error_code had_ended; // another thread ended the handle, against the rules: the target has the socket all the same
    handed.end(handle::ending::background, had_ended);
}

} // namespace detail

void hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec)
{
    detail::handle* const handed = detail::checked(socket.impl(), ec);
    if (handed == nullptr) return;
    detail::hand_over(*handed, target, with, ec);
    if (!ec) socket = shared_socket();
}

void hand_over(shared_socket&& socket, process_id target, const carry& with)
{
    detail::or_throw("sharedsock::hand_over", [&](error_code& ec) { hand_over(std::move(socket), target, with, ec); });
}

std::optional<handed_over> receive_hand_over(const segment& where, error_code& ec)
{
    detail::attachment* const at = detail::attachment_of(where, ec);
    if (at == nullptr) return std::nullopt;
    auto taken = at->take_arrival(ec);
    if (!taken) return std::nullopt;
    handed_over received;
    received.bytes  = std::move(taken->bytes);
    received.tag    = taken->tag;
    received.from   = taken->from;
    received.socket = shared_socket(std::move(taken->taken));
    return received;
}

std::optional<handed_over> receive_hand_over(const segment& where)
{
    return detail::or_throw("sharedsock::receive_hand_over", [&](error_code& ec) { return receive_hand_over(where, ec); });
}

void refuse_hand_overs(const segment& where, error_code& ec)
{
    detail::attachment* const at = detail::attachment_of(where, ec);
    if (at != nullptr) at->refuse_messages(ec);
}

void refuse_hand_overs(const segment& where)
{
    detail::or_throw("sharedsock::refuse_hand_overs", [&](error_code& ec) { refuse_hand_overs(where, ec); });
}

int hand_over_handle(const segment& where, error_code& ec)
{
    detail::attachment* const at = detail::attachment_of(where, ec);
    return at != nullptr ? at->arrivals_handle(ec) : -1;
}

int hand_over_handle(const segment& where)
{
    return detail::or_throw("sharedsock::hand_over_handle", [&](error_code& ec) { return hand_over_handle(where, ec); });
}

} // namespace sharedsock
