// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include <iostream>
#include <span>

namespace handoff {

namespace ss = sharedsock;

server::server(const ss::segment& where, directory& who, place here, bool with_carry)
    : where_(where), who_(who), here_(here), with_carry_(with_carry), serving_(ss::serve(where, io_.get_executor()))
{}

void server::run()
{
    end_.async_wait([this](const ss::error_code& ec, int) {
        if (!ec) io_.stop();
    });
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_UNBLOCK, &all, nullptr); // the parent has blocked them
    if (here_ != place::front) receive();
    io_.run();
}

void server::accept_from(ss::shared_socket& listener)
{
    ss::async_select(
        listener, io_.get_executor(), [this, &listener](const ss::event_message&) { accept(listener); }, ss::network_event::accept);
}

void server::accept(ss::shared_socket& listener)
{
    ss::error_code ec;
    ss::shared_socket socket = listener.accept(ec);
    if (!ec) add(std::move(socket));
}

// The bytes of the carry come first: the socket itself has only the bytes after them.
void server::receive()
{
    ss::async_receive_hand_over(where_, io_.get_executor(), [this](const ss::error_code& ec, ss::handed_over arrived) {
        if (ec)
            std::cerr << "a hand-over failed: " << ec.message() << std::endl;
        else
            add(std::move(arrived.socket), std::string(reinterpret_cast<const char*>(arrived.bytes.data()), arrived.bytes.size()),
                arrived.tag);
        receive();
    });
}

void server::add(ss::shared_socket socket, std::string unread, std::uint64_t moves)
{
    const std::uint64_t id = ++last_guest_;
    guest& added = guests_.emplace(id, guest{connection(std::move(socket), here_, std::move(unread), moves)}).first->second;
    constexpr auto events = ss::network_event::read | ss::network_event::write | ss::network_event::close;
    ss::error_code ec;
    ss::async_select(
        added.one.socket(), io_.get_executor(), [this, id](const ss::event_message&) { serve(id); }, events, {}, ec);
    if (ec) guests_.erase(id);
    serve(id); // the carry may be a whole request
}

void server::serve(std::uint64_t id)
{
    const auto found = guests_.find(id);
    if (found == guests_.end() || found->second.leaves) return;
    const connection::state now = found->second.one.proceed();
    if (now == connection::state::is_over) guests_.erase(found);
    if (now == connection::state::moves) hand_on(id);
}

void server::hand_on(std::uint64_t id)
{
    guest& leaving  = guests_.at(id);
    leaving.leaves  = true;
    connection& one = leaving.one;
    ss::carry with{{}, one.moves() + 1};
    if (with_carry_) with.bytes = std::as_bytes(std::span(one.unread()));
    const auto target = where_.find_process(who_[one.next()]).value_or(ss::process_id());
    ss::async_hand_over(one.socket(), target, with, io_.get_executor(), [this, id, &one](const ss::error_code& ec) {
        if (ec) one.refuse("The process that serves this is not there: " + ec.message());
        guests_.erase(id); // the socket is closed here, also after a refusal
    });
}

} // namespace handoff
