// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The steps of an offer, in their order: the record, the descriptor that the source keeps, the message, the commitment.
#include "socket/offer.hpp"

#include "base/random.hpp"
#include "ipc/deposit.hpp"
#include "tables/process_table.hpp"

#include <new>
#include <utility>

namespace sharedsock::detail {
namespace {

// A handle record that is the source's until the offer is out. Ends it, and what was kept for it, unless `done`.
class prepared_offer {
public:
    prepared_offer(handle& of, membership& self, mail_message::kind what, process_id target, const process_identity* by_pid,
                   error_code& ec, bool acknowledged = false)
        : where_(of.where()), socket_(of.socket()), made_{{}, new_nonce(what, acknowledged, ec)}
    {
        if (!ec) made_.handle = self.prepare_offer(socket_, made_.nonce, target, ec, by_pid);
    }
    ~prepared_offer()
    {
        if (done_ || !made_.handle) return;
        where_.give_up(which());
        where_.forget_descriptors();
    }
    prepared_offer(const prepared_offer&)            = delete;
    prepared_offer& operator=(const prepared_offer&) = delete;

    socket_and_handle which() const noexcept { return {socket_, made_.handle}; }
    const offer& made() const noexcept { return made_; }
    void done() noexcept { done_ = true; }

private:
    attachment& where_;
    const record_id socket_;
    offer made_;
    bool done_ = false;
};

// The number of the deposit from which the target, or another program that it executes, gets the socket; -1 on failure.
int keep(handle& of, membership& self, const prepared_offer& prepared, const seen_process& target, error_code& ec)
{
    unique_fd made = deposit::make(of.fd(), ec);
    if (ec) return -1;
    const int number                                               = made.get();
    self.bytes().handle(prepared.which().handle.index)->descriptor = number;
    of.where().keep_descriptor(prepared.which(), target, std::move(made));
    return number;
}

} // namespace

std::uint64_t new_nonce(mail_message::kind what, bool acknowledged, error_code& ec)
{
    std::uint64_t random = random_number(ec);
    while (!ec && random < 4)
        random = random_number(ec);
    if (what == mail_message::kind::offer) return random & ~std::uint64_t{1};
    return (random & ~std::uint64_t{3}) | (acknowledged ? 3 : 1); // is_nonce_of, is_acknowledged
}

mail_message make_offer(mail_message::kind what, const handle& of, const membership& self, const offer& made,
                        process_id target) noexcept
{
    mail_message text;
    text.what                = what;
    text.handle              = made.handle.index;
    text.handle_generation   = made.handle.generation;
    text.socket              = of.socket().index;
    text.socket_generation   = of.socket().generation;
    text.nonce               = made.nonce;
    text.cookie              = of.slot().cookie;
    text.sender              = self.self().index;
    text.sender_generation   = self.self().generation;
    text.receiver            = target.index;
    text.receiver_generation = target.generation;
    return text;
}

offer send_offer(handle& of, membership& self, mail_message::kind what, process_id target, const seen_process* by_pid,
                 const packed_carry* with, error_code& ec)
{
    ec.clear();
    // `commit_offer` asks the kernel, once, whether the target lives.
    if (!process_table::is_incarnation(self.bytes(), target.index, target.generation)) {
        ec = errc::target_gone;
        return {};
    }
    prepared_offer prepared(of, self, what, target, by_pid != nullptr ? &by_pid->identity : nullptr, ec);
    if (ec) return {};
    mail_message text = make_offer(what, of, self, prepared.made(), target);
    int sent          = of.fd();
    if (by_pid != nullptr) {
        sent = keep(of, self, prepared, *by_pid, ec);
        if (ec) return {};
        text.cookie = cookie_of(sent);
    }
    of.where().box().send(target.index, text, sent, ec, with);
    if (ec) return {};
    // The record is the target's now: if this process dies here, the sweep ends its handle and its registration.
    prepared.done();
    if (self.commit_offer(prepared.which(), target)) return prepared.made();
    ec = errc::target_gone;
    of.where().forget_descriptors();
    return {};
}

record_id send_giving(handle& of, membership& self, process_id target, const packed_carry& with, error_code& ec)
{
    ec.clear();
    if (!process_table::is_incarnation(self.bytes(), target.index, target.generation)) {
        ec = errc::target_gone;
        return {};
    }
    prepared_offer prepared(of, self, mail_message::kind::hand_over, target, nullptr, ec, true);
    if (ec) return {};
    const mail_message text = make_offer(mail_message::kind::hand_over, of, self, prepared.made(), target);
    of.where().box().send(target.index, text, of.fd(), ec, &with);
    if (ec) return {};
    prepared.done();
    self.await_taker(prepared.which().handle);
    return prepared.which().handle;
}

offer keep_offer(handle& of, membership& self, const seen_process& target, error_code& ec)
{
    ec.clear();
    prepared_offer prepared(of, self, mail_message::kind::offer, {}, &target.identity, ec);
    if (!ec) keep(of, self, prepared, target, ec);
    if (ec) return {};
    self.keep_ticket(prepared.made().handle);
    prepared.done();
    return prepared.made();
}

} // namespace sharedsock::detail
