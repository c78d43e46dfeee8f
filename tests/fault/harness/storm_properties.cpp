// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/storm_properties.hpp"

#include "tables/socket_table.hpp"

#include <cstdint>

#include <sys/ioctl.h>

namespace test::storm {
namespace {

int unread(const place& at)
{
    int bytes = 0;
    ::ioctl(at.ends[0].get(), FIONREAD, &bytes);
    return bytes;
}

} // namespace

std::string unread_data(const theatre& where, core_member& member)
{
    for (std::uint32_t i = 0; i < sockets; ++i) {
        const registration_word word = member.word(where.places[i].socket);
        const bool answered          = word.armed != 0 || where.ghost.unanswered[i].load() != word.epoch;
        if (word.owned() && answered && unread(where.places[i]) > 0) {
            return "P3: socket " + std::to_string(i) + " has data and an owner who does not look (owner " +
                   std::to_string(word.owner) + ", delivering " + std::to_string(static_cast<int>(word.delivering)) + ", armed " +
                   std::to_string(word.armed) + ", epoch " + std::to_string(word.epoch) + ")";
        }
    }
    return {};
}

std::string untold(const theatre& where, core_member& member)
{
    for (std::uint32_t process = 0; process < storm_sizes.processes; ++process) {
        if (process == member->self().index || !load(*member->bytes().process(process)).used || !member.life->held(process)) {
            continue;
        }
        for (std::uint32_t i = 0; i < sockets; ++i) {
            const std::uint32_t epoch    = where.ghost.mine[process][i];
            const registration_word word = member.word(where.places[i].socket);
            if (epoch != 0 && !word.owned_by(process, epoch)) {
                return "P5: process " + std::to_string(process) + " lost socket " + std::to_string(i) + " and was not told";
            }
            if (word.owner == process && epoch == 0) {
                return "P5: process " + std::to_string(process) + " owns the events of socket " + std::to_string(i) +
                       " and was not told";
            }
        }
    }
    return {};
}

std::string left_standing(const theatre& where, core_member& member)
{
    for (std::uint32_t i = 0; i < sockets; ++i) {
        if (!member.word(where.places[i].socket).owned() &&
            socket_table::first_in_line(member->bytes(), where.places[i].socket.index) != no_index) {
            return "P7: no process owns the events of socket " + std::to_string(i) + ", and one stands by";
        }
    }
    return {};
}

} // namespace test::storm
