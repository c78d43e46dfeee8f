// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/operations.hpp"
#include "ipc/message.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace test {

using namespace std::chrono_literals;

stage::stage()
{
    survivor.attach();
    error_code ec;
    shared = survivor->create_socket({.cookie = 1}, ec);
    if (ec) throw boost::system::system_error(ec, "create_socket");
    epoch = take_over(survivor, shared);
}

std::uint32_t stage::take_over(core_member& by, const socket_and_handle& which)
{
    return by->take_over(which, all_events, 1).epoch;
}

void stage::die_after(const std::function<void(stage&, actor&)>& body)
{
    segment.die_after([&] {
        actor dying(segment);
        body(*this, dying);
        ::raise(SIGKILL); // before the destructors
    });
}

void stage::crowd()
{
    for (std::uint32_t index = 0; index < segment.bytes().capacity.processes; ++index) {
        if (!load(*segment.bytes().process(index)).used) {
            crowd_.push_back(std::make_unique<core_member>(segment));
            crowd_.back()->attach();
        }
    }
}

std::string stage::recovers()
{
    survivor->sweep_dead();
    return survivor.audit();
}

std::string stage::goes_on()
{
    table_view& bytes = survivor->bytes();
    error_code ec;
    for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index) {
        const handle_life life = load(*bytes.handle(index));
        const record_id id{index, life.generation};
        if (life.state == handle_state::offered) {
            const handle_record& record = *bytes.handle(index);
            if (!survivor->take_offered(id, record.nonce, {offer_source::decode(record.source).index, 0})) {
                return "the survivor cannot redeem its ticket";
            }
            survivor->close_handle({shared.socket, id}, 0, ec);
        } else if (life.state == handle_state::giving || life.state == handle_state::returned) {
            if (life.process != survivor->self().index) return "a hand-over that is out is in the name of the dead";
            if (life.state == handle_state::giving && !survivor->recall(id)) return "the survivor cannot recall its hand-over";
            survivor->close_handle({shared.socket, id}, 0, ec);
        } else if (life.state == handle_state::handing && is_acknowledged(bytes.handle(index)->nonce)) {
            if (!survivor->recall(id)) return "the survivor cannot recall its hand-over";
            survivor->close_handle({shared.socket, id}, 0, ec);
        } else if (life.state == handle_state::handing) {
            if (survivor->commit_offer({shared.socket, id}, told().actor)) {
                return "the survivor has handed over to the dead";
            }
        } else if (life.state == handle_state::kept && !survivor->withdraw_ticket(id, ec)) {
            return "the survivor cannot withdraw its ticket";
        }
    }
    epoch = take_over(survivor, shared);
    if (survivor->fence(shared.socket, epoch, 1s, false) != membership::fence_state::ended) {
        return "the survivor registers and stays fenced";
    }
    socket_slot& slot = survivor.slot(shared.socket);
    if (!survivor->claim(slot, epoch, read_event)) {
        return "the survivor cannot claim";
    }
    survivor->finish(slot, shared.socket.index, epoch, 0);
    survivor->close_handle(shared, epoch, ec);
    if (ec) {
        return "the survivor cannot close: " + ec.message();
    }
    return survivor.leftover();
}

} // namespace test
