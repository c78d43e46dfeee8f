// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A worker's moves with events and with the data behind them. The process that would break P1 or P2 sees it here.
#include "fault/harness/storm_worker.hpp"

#include <cstddef>
#include <cstdint>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test::storm {

void worker::deliver(std::uint32_t i, bool quiet)
{
    const std::uint32_t epoch = holds_[i].epoch;
    socket_slot& here         = slot(i);
    if (epoch == 0 || !member_->claim(here, epoch, read_event)) {
        ghost_.refused.fetch_add(1);
        return;
    }
    const std::uint64_t self   = std::uint64_t{member_->self().generation} << 32 | (me() + 1);
    const std::uint64_t before = ghost_.inside[i].exchange(self);
    if (before != 0 && before != self &&
        member_->alive({static_cast<std::uint32_t>(before) - 1, static_cast<std::uint32_t>(before >> 32)})) {
        ghost_.p2.fetch_add(1);
    }
    if (later_epoch(ghost_.fenced_epoch[i], epoch)) {
        ghost_.p1.fetch_add(1);
    }
    const int fd = theatre_.places[i].ends[0].get();
    pollfd readable{fd, POLLIN, 0};
    bool again            = true;
    std::uint32_t restore = 0;
    if (::poll(&readable, 1, 0) == 1) {
        char bytes[4];
        if (any(16) == 0 && !quiet) {
            ::usleep(any(500));
        }
        if (later_epoch(ghost_.fenced_epoch[i], epoch)) { // the moment that counts
            ghost_.p1.fetch_add(1);
        }
        ghost_.events.fetch_add(1);
        if (quiet || any(4) != 0) {
            again = read(i, bytes, quiet ? 4 : 1 + any(2)) && member_->re_enable(here, i, read_event);
        } else { // the application will read later, or another process does
            ghost_.unanswered[i] = epoch;
            again                = false;
        }
    } else {
        ghost_.spurious.fetch_add(1);
        restore = read_event;
    }
    std::uint64_t expected = self;
    if (!ghost_.inside[i].compare_exchange_strong(expected, 0)) {
        ghost_.p2.fetch_add(1);
    }
    member_->finish(here, i, epoch, restore);
    if (again && holds_[i].watched && restore == 0) {
        watch(i);
    }
}

bool worker::read(std::uint32_t i, char* bytes, std::size_t count)
{
    if (::recv(theatre_.places[i].ends[0].get(), bytes, count, MSG_DONTWAIT) <= 0) {
        return false;
    }
    ghost_.unanswered[i] = 0;
    if (any(32) == 0) {
        ::usleep(any(300)); // a worker that dies here has read, and not re-enabled
    }
    return true;
}

void worker::read_without_owning(std::uint32_t i)
{
    char byte;
    if (!read(i, &byte, 1)) {
        return;
    }
    ghost_.foreign_reads.fetch_add(1);
    if (member_->re_enable(slot(i), i, read_event) && holds_[i].watched) {
        watch(i);
    }
}

} // namespace test::storm
