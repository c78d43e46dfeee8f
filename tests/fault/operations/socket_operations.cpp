// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/public_operations.hpp"

#include <cstddef>
#include <span>
#include <stdexcept>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {
namespace {

using v = victim;

bool more(v& of) { return of.more.handles().size() == 1; }
bool accepted(v& of) { return of.socket.handles().size() == 1; }

void prepare_pair(v& of)
{
    of.attach();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    of.mine.reset(ends[0]);
    of.peer.reset(ends[1]);
}

void prepare_turns(v& of)
{
    of.listen();
    of.turns = ss::turn_acceptor(std::move(of.listener));
    of.epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
}

void accept_in_turn(v& of)
{
    of.more = ss::shared_socket::open(of.segment, AF_INET, SOCK_STREAM);
    of.more.connect(of.turns.listener().local_address());
    of.turns.stand_by(of.epoll.get(), 1, 2);
    of.socket = of.turns.accept();
    of.turns.leave();
}

void listen_on_loopback(v& of) { of.listener = ss::shared_socket::listen(of.segment, ss::socket_address::loopback(0)); }
bool listens(v& of) { return of.listener.local_address().port() != 0; }

} // namespace

void add_socket_operations(operation_map& all)
{
    all["open a socket"]        = {.prepare = &v::attach,
                                   .act     = [](v& of) { of.more = ss::shared_socket::open(of.segment, AF_INET, SOCK_STREAM); },
                                   .holds   = more};
    all["listen"]               = {.prepare = &v::attach, .act = listen_on_loopback, .holds = listens};
    all["connect and accept"]   = {.prepare = [](v& of) { of.listen(); },
                                   .act =
                                       [](v& of) {
                                         of.more = ss::shared_socket::open(of.segment, AF_INET, SOCK_STREAM);
                                         of.more.connect(of.listener.local_address());
                                         of.socket = of.listener.accept();
                                     },
                                   .holds = accepted,
                                   .whole = false};
    all["accept in turn"]       = {.prepare = prepare_turns, .act = accept_in_turn, .holds = accepted, .whole = false};
    all["adopt"]                = {.prepare = prepare_pair,
                                   .act =
                                       [](v& of) {
                            of.more = ss::shared_socket::adopt(of.segment, of.mine.get());
                            of.mine.release();
                        },
                                   .holds = more};
    all["send and receive"]     = {.prepare = [](v& of) { of.own(); },
                                   .act =
                                       [](v& of) {
                                       std::byte byte{};
                                       ss::error_code empty;
                                       of.socket.send("!");
                                       of.socket.receive(std::span(&byte, 1), 0, empty);
                                   }};
    all["set options and mode"] = {.prepare = [](v& of) { of.hold(); },
                                   .act =
                                       [](v& of) {
                                           of.socket.cancel_registration();
                                           of.socket.set_blocking(true);
                                           const int size = 8192;
                                           ss::error_code ec;
                                           of.socket.set_option(SOL_SOCKET, SO_SNDBUF, &size, sizeof size, ec);
                                           if (ec) throw ss::system_error(ec);
                                       },
                                   .holds = [](v& of) { return of.socket.blocking(); }};
    all["close"]                = {.prepare = [](v& of) { of.own(); },
                                   .act     = [](v& of) { of.socket.close(); },
                                   .holds   = [](v& of) { return of.records() == 0u; }};
}

} // namespace test
