// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include <unistd.h>

namespace test::scenes {

void give_up(stage& where)
{
    expect(where.survivor->cancel(where.shared.socket), "cancel");
    where.epoch = 0;
}

void take_back(stage& where) { where.epoch = where.take_over(where.survivor, where.shared); }

void get_in_line(stage& where)
{
    error_code ec;
    where.survivor->stand_by(where.shared, all_events, ec);
    expect(ec, "stand_by");
    where.epoch = 0;
}

void disarm(stage& where)
{
    socket_slot& slot = where.survivor.slot(where.shared.socket);
    expect(where.survivor->claim(slot, where.epoch, all_events), "claim");
    where.survivor->finish(slot, where.shared.socket.index, where.epoch, 0);
}

void open_succession(stage& where)
{
    take_back(where);
    get_in_line(where);
    change(where.survivor.slot(where.shared.socket).registration,
           [](const registration_word& word) { return std::optional(word.cancelled()); });
}

void keep_for_actor(stage& where)
{
    error_code ec;
    where.told().ticket = where.survivor->prepare_offer(where.shared.socket, 77, {}, ec, &some_process);
    expect(ec, "prepare_offer");
    where.survivor->keep_ticket(where.told().ticket);
}

void offer_by_pid_to_the_dead(stage& where)
{
    die_attached(where);
    error_code ec;
    const record_id ticket = where.survivor->prepare_offer(where.shared.socket, 78, where.told().dead, ec, &some_process);
    expect(ec, "prepare_offer");
    handle_table::move(where.survivor->bytes(), ticket, handle_state::handing, handle_state::offered, where.told().dead.index);
    where.told().ticket = ticket;
}

void begin_offer_to_actor(stage& where)
{
    error_code ec;
    where.told().ticket = where.survivor->prepare_offer(where.shared.socket, offer_nonce, where.told().actor, ec);
    expect(ec, "prepare_offer");
}

void offer_to_actor(stage& where)
{
    begin_offer_to_actor(where);
    expect(where.survivor->commit_offer({where.shared.socket, where.told().ticket}, where.told().actor), "commit_offer");
}

void take_from_actor(stage& where)
{
    expect(where.survivor->take_offered(where.told().ticket, offer_nonce, where.told().actor), "take_offered");
    error_code ec;
    where.survivor->close_handle({where.shared.socket, where.told().ticket}, 0, ec);
    expect(ec, "close_handle");
}

void begin_giving_to_actor(stage& where)
{
    error_code ec;
    where.told().ticket = where.survivor->prepare_offer(where.shared.socket, giving_nonce, where.told().actor, ec);
    expect(ec, "prepare_offer");
    where.survivor.heard(); // all that rings from here on is the actor's answer
}

void give_to_actor(stage& where)
{
    begin_giving_to_actor(where);
    where.survivor->await_taker(where.told().ticket);
}

void take_given_from_actor(stage& where)
{
    expect(where.survivor->take_offered(where.told().ticket, giving_nonce, where.told().actor), "take_offered");
    error_code ec;
    where.survivor->close_handle({where.shared.socket, where.told().ticket}, 0, ec);
    expect(ec, "close_handle");
}

void fill_maps(stage& where)
{
    const table_view& bytes = where.segment.bytes();
    free_map handles = bytes.handle_map, sockets = bytes.socket_map;
    for (std::uint32_t index = 0; index < bytes.capacity.handles; ++index) {
        handles.set_used(index);
    }
    for (std::uint32_t index = 0; index < bytes.capacity.sockets; ++index) {
        sockets.set_used(index);
    }
}

void remove_bell(stage& where)
{
    ::unlinkat(where.segment.directory(), ("bell." + std::to_string(where.told().actor.index)).c_str(), 0);
}

} // namespace test::scenes
