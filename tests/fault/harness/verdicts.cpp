// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/scenes.hpp"
#include "tables/cookie_index.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace test::scenes {

std::string told_if_lost(stage& where)
{
    return where.owns() || where.survivor.rung() ? "" : "the survivor lost its registration and was not told";
}

std::string told(stage& where) { return where.survivor.rung() ? "" : "the survivor was not rung"; }

std::string woken(stage& where)
{
    return where.survivor.rung() ? "" : "the survivor could not claim while a delivery was under way, and was not woken";
}

std::string re_armed(stage& where)
{
    if (where.survivor.word(where.shared.socket).armed != all_events) {
        return "the survivor's events were not armed again";
    }
    return where.survivor.rung() ? "" : "the survivor's events were armed again, and it was not rung";
}

std::string succeeded(stage& where)
{
    if (where.survivor.word(where.shared.socket).owner != where.survivor->self().index) {
        return "the survivor stood by and did not succeed";
    }
    return where.survivor.rung() ? "" : "the survivor succeeded and was not told";
}

std::string told_if_succeeded(stage& where)
{
    return where.survivor.word(where.shared.socket).owner != where.survivor->self().index ? "" : succeeded(where);
}

std::string ticket_held(stage& where)
{
    const handle_record* const record = handle_table::find(where.segment.bytes(), where.told().ticket);
    return record != nullptr && load(*record).state == handle_state::offered ? "" : "the dead's ticket is gone";
}

std::string ticket_kept(stage& where)
{
    const handle_record* const record = handle_table::find(where.segment.bytes(), where.told().ticket);
    if (record == nullptr || load(*record).state != handle_state::kept) return "the ticket by pid is gone";
    const process_life source = load(*where.segment.bytes().process(load(*record).process));
    return record->process_generation.load() == source.generation ? "" : "the ticket by pid is not its source's";
}

std::string adoptable(stage& where)
{
    error_code ec;
    bool joined      = false;
    const auto mine  = where.survivor->adopt_socket({.cookie = 2}, joined, ec);
    const auto found = cookie_index::find(where.segment.bytes(), 2);
    if (ec || found != mine.socket) return "the survivor cannot adopt the socket";
    where.survivor->close_handle(mine, 0, ec);
    return ec ? "the survivor cannot close what it has adopted: " + ec.message() : "";
}

std::string handed_over(stage& where)
{
    if (!where.survivor->take_offered(where.told().ticket, offer_nonce, where.told().actor))
        return "the survivor cannot take what was handed over";
    error_code ec;
    where.survivor->close_handle({where.shared.socket, where.told().ticket}, 0, ec);
    return ec ? "the survivor cannot close what was handed over: " + ec.message() : "";
}

std::string still_handing(stage& where)
{
    const handle_record* const record = handle_table::find(where.segment.bytes(), where.told().ticket);
    return record != nullptr && load(*record).state == handle_state::handing ? "" : "what the survivor hands over is gone";
}

namespace {

std::string judged(stage& where, membership::giving_standing wanted, const char* otherwise)
{
    if (where.survivor->judge_giving(where.told().ticket) != wanted) return otherwise;
    return where.survivor.rung() ? "" : "the survivor was not rung";
}

} // namespace

std::string taken(stage& where) { return judged(where, membership::giving_standing::taken, "what was taken is not told as taken"); }

std::string declined(stage& where)
{
    return judged(where, membership::giving_standing::declined, "what was declined is not told as declined");
}

std::string settled_or_waits(stage& where)
{
    if (where.survivor->judge_giving(where.told().ticket) != membership::giving_standing::waits) return "";
    return where.survivor->recall(where.told().ticket) ? "" : "the survivor can neither have it back, nor was it taken";
}

std::string recalled(stage& where)
{
    return where.survivor->take_offered(where.told().ticket, giving_nonce, where.told().actor)
               ? "the survivor takes what was recalled"
               : "";
}

std::string still_here(stage& where)
{
    std::size_t count = 0;
    handle_table::for_each(where.segment.bytes(), where.shared.socket.index,
                           [&](std::uint32_t, const handle_record&) { return ++count, true; });
    return count == 2 ? "" : "there are " + std::to_string(count) + " handles";
}

} // namespace test::scenes
