// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace test::scenes {

void expect(bool condition, const char* what)
{
    if (!condition) {
        throw std::runtime_error(std::string("the scene does not come about: ") + what);
    }
}

void expect(const error_code& ec, const char* what)
{
    if (ec) {
        throw boost::system::system_error(ec, what);
    }
}

void attach(stage& where, actor& who)
{
    who.member.attach();
    where.told().actor = who.member->self();
}

void open(stage& where, actor& who)
{
    attach(where, who);
    error_code ec;
    who.own = {where.shared.socket, who.member->open_handle(where.shared.socket, ec)};
    expect(ec, "open_handle");
}

void own(stage& where, actor& who)
{
    open(where, who);
    who.epoch = where.take_over(who.member, who.own);
}

void claim(stage& where, actor& who)
{
    own(where, who);
    expect(who.member->claim(who.member.slot(who.own.socket), who.epoch, all_events), "claim");
}

void create(stage& where, actor& who)
{
    attach(where, who);
    error_code ec;
    who.own = who.member->create_socket({.cookie = 2}, ec);
    expect(ec, "create_socket");
}

void stand_by(stage& where, actor& who)
{
    open(where, who);
    error_code ec;
    who.member->stand_by(who.own, some_events, ec);
    expect(ec, "stand_by");
}

void prepare_ticket(stage& where, actor& who)
{
    open(where, who);
    error_code ec;
    who.ticket = who.member->prepare_offer(where.shared.socket, 77, {}, ec, &some_process);
    expect(ec, "prepare_offer");
}

namespace {

void begin_offer(stage& where, actor& who, process_id target, std::uint64_t nonce = offer_nonce)
{
    error_code ec;
    who.ticket = who.member->prepare_offer(where.shared.socket, nonce, target, ec);
    expect(ec, "prepare_offer");
    where.told().ticket = who.ticket;
    where.told().actor  = who.member->self();
}

} // namespace

void prepare_offer(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.survivor->self());
}

void commit_offer(stage& where, actor& who) { who.member->commit_offer({where.shared.socket, who.ticket}, where.survivor->self()); }

void offer(stage& where, actor& who)
{
    prepare_offer(where, who);
    commit_offer(where, who);
}

void offer_the_only_handle(stage& where, actor& who)
{
    attach(where, who);
    begin_offer(where, who, where.survivor->self());
    commit_offer(where, who);
}

void prepare_offer_to_the_dead(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.told().dead);
}

void prepare_offer_by_pid_to_the_dead(stage& where, actor& who)
{
    open(where, who);
    error_code ec;
    who.ticket = who.member->prepare_offer(where.shared.socket, 78, where.told().dead, ec, &some_process);
    expect(ec, "prepare_offer");
    where.told().ticket = who.ticket;
}

void prepare_giving(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.survivor->self(), giving_nonce);
}

void give(stage& where, actor& who)
{
    prepare_giving(where, who);
    who.member->await_taker(who.ticket);
}

void give_to_the_dead(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.told().dead, giving_nonce);
    who.member->await_taker(who.ticket);
}

void finish(stage&, actor& who) { who.member->finish(who.member.slot(who.own.socket), who.own.socket.index, who.epoch, 0); }

void close(stage&, actor& who)
{
    error_code ec;
    who.member->close_handle(who.own, who.epoch, ec);
}

void sweep(stage&, actor& who) { who.member->sweep_dead(); }

} // namespace test::scenes
