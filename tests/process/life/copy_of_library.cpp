// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/life/copy_of_library.hpp"

#include <sharedsock/sharedsock.hpp>

#include <exception>

namespace ss = sharedsock;

namespace {

struct objects {
    ss::segment segment;
    ss::shared_socket socket;
    ss::event_object event;
};
objects* all = nullptr;

template <class Call>
bool done(Call call) noexcept
{
    try {
        return call();
    } catch (const std::exception&) {
        return false;
    }
}

bool open(const char* segment)
{
    return done([&] {
        all          = new objects;
        all->segment = ss::segment::open(segment);
        return true;
    });
}

unsigned self() { return all->segment.self().index; }

bool look()
{
    return done([] { return all->segment.published().empty(); });
}

bool redeem(const char* ticket)
{
    return done([&] {
        all->socket = ss::shared_socket::redeem(all->segment, ss::ticket::from_text(ticket));
        return true;
    });
}

bool select()
{
    return done([] {
        all->socket.event_select(all->event, ss::network_event::read);
        return true;
    });
}

bool owns()
{
    return done([] { return all->socket.registration() && all->socket.registration()->owner == all->segment.self(); });
}

bool use()
{
    return done([] { return ss::shared_socket::redeem(all->segment, all->socket.duplicate(all->segment.self())).is_open(); });
}

void close()
{
    delete all;
    all = nullptr;
}

} // namespace

extern "C" __attribute__((visibility("default")))
const test::copy_of_library sharedsock_copy{open, self, look, redeem, select, owns, use, close};
