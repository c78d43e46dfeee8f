// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The receiving side of hand-overs: messages that wait, and how this process takes one of them.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

bool is_hand_over(const delivered_message& one) noexcept { return one.text.what == mail_message::kind::hand_over; }

bool ends_it(const error_code& ec) noexcept { return ec == errc::bad_hand_over || ec == errc::wrong_descriptor; }

} // namespace

int attachment::arrivals_handle(error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    if (arrived_) return arrivals_.get();
    unique_fd made        = arrivals_ ? unique_fd() : new_fd::epoll(); // a forked child has one, which is empty
    const unique_fd& all  = arrivals_ ? arrivals_ : made;
    unique_fd read_before = new_fd::event();
    const auto add        = [&](int descriptor) { // it is there if an earlier call failed half-way
        return add_to_epoll(all.get(), descriptor, EPOLLIN) || errno == EEXIST;
    };
    if (!all || !read_before) {
        ec = last_error(all ? sys<"eventfd2"> : sys<"epoll_create1">);
        return -1;
    }
    if (!add(box_.native_handle()) || !add(read_before.get())) {
        ec = last_error(sys<"epoll_ctl">);
        return -1;
    }
    if (made) arrivals_ = std::move(made);
    arrived_ = std::move(read_before);
    note_arrivals();
    return arrivals_.get();
}

void attachment::refuse_messages(error_code& ec)
{
    member_.bytes().process(member_.self().index)->box.store(0); // no sender looks for it in another way
    box_.refuse(member_.self().index, ec);
}

bool attachment::arrivals_wait() const noexcept
{
    return forged_arrivals_ > 0 || std::any_of(mail_.begin(), mail_.end(), is_hand_over);
}

void attachment::note_arrivals() noexcept
{
    if (!arrived_) return;
    std::uint64_t count = 1;
    if (arrivals_wait()) // either call fails only if the count is right already
        static_cast<void>(::write(arrived_.get(), &count, sizeof count));
    else
        static_cast<void>(::read(arrived_.get(), &count, sizeof count));
}

void attachment::keep_arrival(delivered_message&& arrived)
{
    const mail_message& text = arrived.text;
    const auto standing =
        member_.judge_offer({text.handle, text.handle_generation}, text.nonce, {text.sender, text.sender_generation});
    const bool forged = standing == membership::offer_standing::forged || !is_nonce_of(text.what, text.nonce);
    if (forged) ++forged_arrivals_;
    if (!forged && standing == membership::offer_standing::good) mail_.push_back(std::move(arrived));
    note_arrivals();
}

std::optional<attachment::arrival> attachment::take_arrival(error_code& ec)
{
    ec.clear();
    std::shared_ptr<handle> room; // the new handle: reserved without the mutex, before anything is taken
    for (bool has_read = false;;) {
        std::optional<arrival> taken;
        socket_and_handle ended;
        record_id socket;
        {
            const std::scoped_lock lock(mutex_);
            if (!arrivals_wait() && !std::exchange(has_read, true)) read_mail(ec, [this] { return arrivals_wait(); });
            if (!arrivals_wait()) return std::nullopt;
            ec.clear(); // of a later message that found no room
            socket = socket_of_next_arrival();
            if (!socket || (room != nullptr && room->socket() == socket)) {
                taken = take_read_arrival(room, ended, ec);
                note_arrivals();
                socket = {};
            }
        }
        if (ended.handle) give_up(ended); // outside the mutex: its slot may be locked
        if (taken || ec) return taken;
        if (socket) room = handle::reserve(shared_from_this(), member_, socket);
    }
}

// None if it is forged, or its record names no live socket.
record_id attachment::socket_of_next_arrival() const noexcept
{
    const auto found = std::find_if(mail_.begin(), mail_.end(), is_hand_over);
    if (forged_arrivals_ > 0 || found == mail_.end()) return {};
    const handle_record* const record = handle_table::find(member_.bytes(), {found->text.handle, found->text.handle_generation});
    const record_id socket = record != nullptr ? record_id{record->socket.load(), record->socket_generation.load()} : record_id();
    return socket_table::find(member_.bytes(), socket) != nullptr ? socket : record_id();
}

// Nothing and no error: it was gone. `ended`: a record that was taken and is not good; the caller gives it up.
std::optional<attachment::arrival> attachment::take_read_arrival(const std::shared_ptr<handle>& room, socket_and_handle& ended,
                                                                 error_code& ec)
{
    if (forged_arrivals_ > 0) {
        --forged_arrivals_;
        ec = errc::bad_hand_over;
        return std::nullopt;
    }
    const auto found        = std::find_if(mail_.begin(), mail_.end(), is_hand_over);
    const mail_message text = found->text;
    const record_id name{text.handle, text.handle_generation};
    arrival one;
    one.tag   = found->carry.label.tag;
    one.from  = {text.sender, text.sender_generation};
    one.bytes = unpack(found->carry, ec); // before it is taken: if memory is short it stays
    if (ec && !ends_it(ec)) return std::nullopt;
    // The record names the socket, the message names the one that arrived: if either is damaged they may differ (G10).
    const record_id socket{text.socket, text.socket_generation};
    if (!ec && (!found->descriptor || room == nullptr || room->socket() != socket || room->slot().cookie != text.cookie))
        ec = errc::wrong_descriptor;
    unique_fd descriptor = std::move(found->descriptor);
    mail_.erase(found);
    const handle_record* const record = handle_table::find(member_.bytes(), name);
    if (ec && member_.decline_offered(name, text.nonce, one.from)) return std::nullopt; // its sender keeps the socket
    if (!member_.take_offered(name, text.nonce, one.from)) {
        ec.clear(); // its sender took it back or died, or it was a second message for the same record
        return std::nullopt;
    }
    if (ec) {
        ended = {{record->socket.load(), record->socket_generation.load()}, name};
        return std::nullopt;
    }
    room->open(name, std::move(descriptor));
    one.taken = room;
    return one;
}

// --- looking at one, and sending it back ------------------------------------------------------------------------------

// The end of the mail: none waits. `ec`: the next one was forged, and is reported here.
attachment::mail_iterator attachment::next_arrival(error_code& ec)
{
    const auto is_good = [this](const delivered_message& one) { return !is_hand_over(one) || worth_keeping(one.text); };
    std::erase_if(mail_, std::not_fn(is_good));
    if (!arrivals_wait()) read_mail(ec, [this] { return arrivals_wait(); });
    if (arrivals_wait()) ec.clear(); // of a later message that found no room
    if (forged_arrivals_ > 0) {
        --forged_arrivals_;
        ec = errc::bad_hand_over;
        return mail_.end();
    }
    return std::find_if(mail_.begin(), mail_.end(), is_hand_over);
}

std::optional<attachment::announcement> attachment::look_at_arrival(error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    const auto found = next_arrival(ec);
    note_arrivals();
    if (found == mail_.end()) return std::nullopt;
    const mail_message& text = found->text;
    return announcement{{text.handle, text.handle_generation},
                        text.nonce,
                        found->carry.label.tag,
                        static_cast<std::size_t>(found->carry.label.size_bytes),
                        {text.sender, text.sender_generation}};
}

bool attachment::decline_arrival(record_id record, std::uint64_t nonce)
{
    socket_and_handle ended;
    bool declined = false;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = find_message(mail_message::kind::hand_over, record, nonce);
        if (found == mail_.end()) return false;
        const process_id from{found->text.sender, found->text.sender_generation};
        const handle_record* const known = handle_table::find(member_.bytes(), record);
        declined                         = member_.decline_offered(record, nonce, from);
        if (!declined && member_.take_offered(record, nonce, from))
            ended = {{known->socket.load(), known->socket_generation.load()}, record};
        mail_.erase(found);
        note_arrivals();
    }
    if (ended.handle) give_up(ended);
    return declined || ended.handle;
}

// Those that come later, or cannot be read, have their senders look at the next tick.
std::vector<mail_message> attachment::close_mail() noexcept
try {
    const std::scoped_lock lock(mutex_);
    std::vector<mail_message> waiting;
    error_code unread;
    read_mail(unread);
    for (const delivered_message& one : mail_)
        if (is_hand_over(one) && is_acknowledged(one.text.nonce)) waiting.push_back(one.text);
    mail_.clear();
    return waiting;
} catch (const std::bad_alloc&) {
    return {};
}

} // namespace sharedsock::detail
