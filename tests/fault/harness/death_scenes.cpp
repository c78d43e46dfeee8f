// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/ranked_mutex.hpp"
#include "fault/harness/scenes.hpp"
#include "tables/process_table.hpp"

#include <cstdint>
#include <optional>
#include <stdexcept>

namespace test::scenes {

void die_attached(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        who.member.attach();
        here.told().dead = who.member->self();
    });
}

void die_building(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        attach(here, who);
        table_view bytes                   = who.member->bytes();
        const process_id me                = who.member->self();
        const record_id handle             = handle_table::claim(bytes, me.index, me.generation).id;
        bytes.handle(handle.index)->socket = 5;
        bytes.socket(5)->life              = slot_life{0, me.index, slot_state::building}.encode();
        handle_table::link(bytes, *bytes.socket(5), handle.index);
    });
}

void die_locking(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        open(here, who);
        error_code ec;
        new membership::slot_guard(who.member.self, here.shared.socket.index, ec);
        expect(ec, "lock");
        who.member.slot(here.shared.socket).first_handle = 0; // in the middle of a change
    });
}

void die_offering(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        offer(here, who);
        here.told().ticket = who.ticket;
    });
}

void die_withdrawing(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        attach(here, who);
        error_code ec;
        new membership::slot_guard(who.member.self, here.shared.socket.index, ec); // the process holds a lock, and no handle
        lock_ranks::released(lock_rank::robust_lock); // as if another thread had taken it: one thread never holds two
        new robust_lock(who.member->name_lock());
        who.member->name_lock().lock(ec);
        expect(ec, "lock");
    });
}

void die_giving_what_is_declined(stage& where)
{
    where.die_after(give);
    if (!where.survivor->decline_offered(where.told().ticket, giving_nonce, where.told().actor))
        throw std::runtime_error("the scene does not come about: decline_offered");
}

// In the middle of a sweep all records of the dead that were seen are in the sweeper's name, and none has ended.
void die_sweeping(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        attach(here, who);
        table_view& bytes = who.member->bytes();
        for (std::uint32_t dead = 0; dead < bytes.capacity.processes; ++dead) {
            error_code ec;
            if (!process_table::may_need_sweep(*bytes.process(dead)) || who.member.life->held(dead) ||
                !who.member.life->take(dead, ec))
                continue;
            process_table::begin(bytes, dead);
            process_table::begin_sweep(*bytes.process(dead));
            for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index) {
                const handle_life life = load(*bytes.handle(index));
                if (life.state == handle_state::free || life.process != dead) continue;
                const std::uint32_t socket = bytes.handle(index)->socket;
                change(bytes.socket(socket)->registration,
                       [&](const registration_word& word) { return std::optional(word.swept(dead)); });
                who.member->ring_holders(socket);
                handle_table::take(bytes, index, life, {life.generation, who.member->self().index, handle_state::claimed});
            }
        }
    });
}

} // namespace test::scenes
