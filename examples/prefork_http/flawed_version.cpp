// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A version of prefork_http that is ready, and dies when the first connection is offered to it: for its upgrade test.
#include <sharedsock/restart.hpp>

#include <string>
#include <string_view>

#include <poll.h>
#include <unistd.h>

int main(int count, char** words)
{
    sharedsock::restart::options how;
    std::string name;
    for (int i = 1; i + 1 < count; ++i) {
        if (std::string_view(words[i]) == "--segment") name = words[i + 1];
        if (std::string_view(words[i]) == "--directory") how.directory = words[i + 1];
    }
    auto service        = sharedsock::restart::generation::join(name, how);
    const auto listener = service.listen("http", sharedsock::socket_address::loopback(0));
    service.ready();
    for (;;) {
        pollfd asked{service.native_handle(), POLLIN, 0};
        ::poll(&asked, 1, -1);
        while (auto happened = service.poll())
            if (happened->what == sharedsock::restart::event::kind::offered) ::_exit(1);
    }
}
