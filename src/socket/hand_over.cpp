// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attached.hpp"
#include "socket/giving.hpp"
#include "socket/offer.hpp"

#include <sharedsock/hand_over.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace sharedsock {
void hand_over(shared_socket&& socket, process_id target, const carry& with, const hand_over_options& how, error_code& ec)
{
    detail::handle* const handed     = detail::checked(socket.impl(), ec);
    detail::membership* const member = handed != nullptr ? handed->member(ec) : nullptr;
    if (member == nullptr) return;
    // To wait for itself would be in vain in a process of one thread, and this process has the socket in any case.
    if (target == member->self()) return hand_over_unacknowledged(std::move(socket), target, with, ec);
    detail::hand_over(socket.impl(), target, with, how, ec);
    if (!ec) socket = shared_socket();
}

void hand_over(shared_socket&& socket, process_id target, const carry& with, const hand_over_options& how)
{
    detail::or_throw("sharedsock::hand_over", [&](error_code& ec) { hand_over(std::move(socket), target, with, how, ec); });
}

void hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec)
{
    hand_over(std::move(socket), target, with, hand_over_options(), ec);
}

void hand_over(shared_socket&& socket, process_id target, const carry& with)
{
    hand_over(std::move(socket), target, with, hand_over_options());
}

void hand_over_unacknowledged(shared_socket&& socket, process_id target, const carry& with, error_code& ec)
{
    detail::handle* const handed     = detail::checked(socket.impl(), ec);
    detail::membership* const member = handed != nullptr ? handed->member(ec) : nullptr;
    if (member == nullptr) return;
    const detail::packed_carry packed = detail::pack(with, ec);
    if (!ec) detail::send_offer(*handed, *member, detail::mail_message::kind::hand_over, target, nullptr, &packed, ec);
    if (ec) return;
    error_code had_ended; // another thread ended the handle, against the rules: the target has the socket all the same
    handed->end(detail::handle::ending::background, had_ended);
    socket = shared_socket();
}

void hand_over_unacknowledged(shared_socket&& socket, process_id target, const carry& with)
{
    detail::or_throw("sharedsock::hand_over_unacknowledged",
                     [&](error_code& ec) { hand_over_unacknowledged(std::move(socket), target, with, ec); });
}

// --- one that waits in the program's own loop -------------------------------------------------------------------------

pending_hand_over::pending_hand_over() noexcept                          = default;
pending_hand_over::pending_hand_over(pending_hand_over&& other) noexcept = default;
pending_hand_over::~pending_hand_over()                                  = default;

pending_hand_over& pending_hand_over::operator=(pending_hand_over&& other) noexcept
{
    impl_   = std::move(other.impl_); // the former one is taken back first
    socket_ = std::move(other.socket_);
    return *this;
}

pending_hand_over::pending_hand_over(shared_socket&& socket, process_id target, const carry& with, error_code& ec)
{
    if (detail::checked(socket.impl(), ec) == nullptr) return;
    const detail::packed_carry packed = detail::pack(with, ec);
    if (!ec) impl_ = detail::giving::begin(socket.impl(), target, packed, ec);
    if (!ec) socket_ = std::move(socket);
}

pending_hand_over::pending_hand_over(shared_socket&& socket, process_id target, const carry& with)
{
    detail::or_throw("sharedsock::pending_hand_over",
                     [&](error_code& ec) { *this = pending_hand_over(std::move(socket), target, with, ec); });
}

hand_over_state pending_hand_over::state(error_code& ec)
{
    using detail::giving;
    if (impl_ == nullptr) {
        ec = errc::closed_handle;
        return hand_over_state::returned;
    }
    switch (impl_->look(ec)) {
    case giving::state::waits:
        return hand_over_state::pending;
    case giving::state::taken:
        return hand_over_state::taken;
    case giving::state::back:
        break;
    }
    return hand_over_state::returned;
}

shared_socket pending_hand_over::take_back(error_code& ec)
{
    if (impl_ == nullptr) {
        ec = errc::closed_handle;
        return {};
    }
    const auto settled = std::move(impl_);
    const bool is_back = settled->take_back(ec);
    ec.clear(); // why it came back is `state`'s to say
    return is_back ? std::move(socket_) : shared_socket();
}

int pending_hand_over::native_handle(error_code& ec)
{
    ec.clear();
    if (impl_ == nullptr) {
        ec = errc::closed_handle;
        return -1;
    }
    return impl_->keep_alarm(ec);
}

// --- receiving --------------------------------------------------------------------------------------------------------

std::optional<waiting_hand_over> peek_hand_over(const segment& where, error_code& ec)
{
    detail::attachment* const at = detail::attachment_of(where, ec);
    if (at == nullptr) return std::nullopt;
    const auto next = at->look_at_arrival(ec);
    if (!next) return std::nullopt;
    return waiting_hand_over{next->tag, next->size, next->from, next->record.as_number(), next->nonce};
}

std::optional<waiting_hand_over> peek_hand_over(const segment& where)
{
    return detail::or_throw("sharedsock::peek_hand_over", [&](error_code& ec) { return peek_hand_over(where, ec); });
}

bool decline_hand_over(const segment& where, const waiting_hand_over& which, error_code& ec)
{
    detail::attachment* const at = detail::attachment_of(where, ec);
    if (at == nullptr) return false;
    return at->decline_arrival({static_cast<std::uint32_t>(which.id), static_cast<std::uint32_t>(which.id >> 32)}, which.proof);
}

bool decline_hand_over(const segment& where, const waiting_hand_over& which)
{
    return detail::or_throw("sharedsock::decline_hand_over", [&](error_code& ec) { return decline_hand_over(where, which, ec); });
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
