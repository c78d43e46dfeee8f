// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The receiving side of hand-overs: letters that wait, and how this process makes one of them its own.
#include "attachment.hpp"
#include "handing.hpp"
#include "last_error.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

bool is_hand_over(const delivered_letter& one) noexcept { return one.text.what == letter::kind::hand_over; }

bool ends_it(const error_code& ec) noexcept { return ec == errc::bad_hand_over || ec == errc::wrong_descriptor; }

} // namespace

int attachment::arrivals_handle(error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    if (arrivals_) return arrivals_.get();
    unique_fd all(::epoll_create1(EPOLL_CLOEXEC));
    unique_fd read_before(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;
    if (!all || !read_before || ::epoll_ctl(all.get(), EPOLL_CTL_ADD, box_.native_handle(), &event) != 0 ||
        ::epoll_ctl(all.get(), EPOLL_CTL_ADD, read_before.get(), &event) != 0) {
        ec = last_error();
        return -1;
    }
    arrivals_ = std::move(all);
    arrived_  = std::move(read_before);
    note_arrivals();
    return arrivals_.get();
}

bool attachment::arrivals_wait() const noexcept
{
    return forged_arrivals_ > 0 || std::any_of(mail_.begin(), mail_.end(), is_hand_over);
}

void attachment::note_arrivals() noexcept
{
    if (!arrived_) return;
    std::uint64_t count = 1;
    if (arrivals_wait()) // neither fails but for a count that is as it should be
        static_cast<void>(::write(arrived_.get(), &count, sizeof count));
    else
        static_cast<void>(::read(arrived_.get(), &count, sizeof count));
}

void attachment::keep_arrival(delivered_letter&& arrived)
{
    const letter& text  = arrived.text;
    const auto standing = member_.judge_offer({text.handle, text.handle_generation}, text.nonce,
                                                  {text.sender, text.sender_generation});
    const bool forged   = standing == membership::offer_standing::forged || !is_nonce_of(text.what, text.nonce);
    if (forged) ++forged_arrivals_;
    if (!forged && standing == membership::offer_standing::good) mail_.push_back(std::move(arrived));
    note_arrivals();
}

std::optional<attachment::arrival> attachment::take_arrival(error_code& ec)
{
    std::optional<arrival> taken;
    {
        const std::scoped_lock lock(mutex_);
        if (!arrivals_wait()) read_mail(ec, [this] { return arrivals_wait(); });
        if (arrivals_wait()) taken = take_read_arrival(ec);
        note_arrivals();
    }
    if (!taken || !ec) return taken;
    give_up(*this, member_, taken->which); // it is ours, and ends outside the mutex: its slot may be locked
    return std::nullopt;
}

std::optional<attachment::arrival> attachment::take_read_arrival(error_code& ec)
{
    ec.clear();
    if (forged_arrivals_ > 0) {
        --forged_arrivals_;
        ec = errc::bad_hand_over;
        return std::nullopt;
    }
    for (;;) {
        const auto found = std::find_if(mail_.begin(), mail_.end(), is_hand_over);
        if (found == mail_.end()) return std::nullopt;
        const letter text = found->text;
        arrival one;
        one.which.handle                  = {text.handle, text.handle_generation};
        const handle_record* const record = handle_table::find(member_.bytes(), one.which.handle);
        if (record != nullptr) one.which.socket = {record->socket.load(), record->socket_generation.load()};
        const socket_slot* const slot = socket_table::find(member_.bytes(), one.which.socket);
        one.tag                       = found->carry.label.tag;
        one.from                      = {text.sender, text.sender_generation};
        one.bytes                     = unpack(found->carry, ec); // before it is taken: where memory is short it stays
        if (ec && !ends_it(ec)) return std::nullopt;
        // The record says which socket it is, the letter which one came: if either is damaged they may be two (G10).
        const bool same = one.which.socket == record_id{text.socket, text.socket_generation};
        if (!ec && (!found->descriptor || slot == nullptr || !same || slot->cookie != text.cookie))
            ec = errc::wrong_descriptor;
        one.descriptor = std::move(found->descriptor);
        mail_.erase(found);
        if (member_.take_offered(one.which.handle, text.nonce, one.from)) return one;
        ec.clear(); // its sender died before it was ours, or another letter had the same to say
    }
}

} // namespace sharedsock::detail
