// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attached.hpp"
#include "socket/offer.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace sharedsock {
namespace detail {

void hand_over(handle& handed, process_id target, const carry& with, error_code& ec)
{
    membership* const self = handed.member(ec);
    if (self == nullptr) return;
    const packed_carry packed = pack(with, ec);
    if (!ec) send_offer(handed, *self, mail_message::kind::hand_over, target, nullptr, &packed, ec);
    if (ec) return;
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
