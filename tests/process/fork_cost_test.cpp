// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The cost of a fork to a process with many handles.
#include "attach/attachment.hpp"
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"
#include "support/skip.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// Pages that this process has written to for the first time, or for the first time since a fork.
long faults()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_minflt;
}

// The pages that the parent writes to in a fork while it has so many handles; of several forks the least.
long faults_of_fork(std::size_t handles)
{
    test::scratch_segment home({.sockets = 4'096, .processes = 8, .handles = 32'768});
    std::vector<ss::shared_socket> all;
    while (all.size() < handles)
        all.push_back(ss::shared_socket::open(*home, AF_INET, SOCK_DGRAM));
    long least = -1;
    for (int left = 5; left > 0; --left) {
        const long before = faults();
        const pid_t child = ::fork();
        const long after  = faults();
        if (child == 0) ::_exit(0);
        test::ended(child);
        home->sweep();
        if (least < 0 || after - before < least) least = after - before;
    }
    return least;
}

} // namespace

SHAREDSOCK_CHILD_ROLE(forks with few and with many handles)
{
    rlimit descriptors{};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
    const long few  = faults_of_fork(10);
    const long many = faults_of_fork(2'000);
    role.say(many - few < 50 ? "as few" : std::to_string(few) + " and " + std::to_string(many));
    return 0;
}

TEST_CASE("a fork makes the kernel copy no page of the parent's for its handles", "[G12]")
{
    rlimit descriptors{};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_max < 2'500) {
        test::skip("this process may not have so many descriptors");
        return;
    }
    test::child_process forks("forks with few and with many handles");
    CHECK(forks.line() == "as few");
    CHECK(forks.wait() == 0);
}

SHAREDSOCK_CHILD_ROLE(forks as the owner of many sockets)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 256, .processes = 8, .handles = 1'024});
    ss::event_object ready;
    std::vector<ss::shared_socket> all;
    while (all.size() < 200) {
        all.push_back(ss::shared_socket::open(*home, AF_INET, SOCK_DGRAM));
        all.back().event_select(ready, ss::network_event::read);
    }
    int ends[2];
    if (::pipe(ends) != 0) return 99;
    const pid_t child = ::fork();
    if (child == 0) {
        char none = 0;
        ::_exit(::read(ends[0], &none, 1) == 1 ? 0 : 1);
    }
    std::uint32_t ids[256];
    const std::size_t rings = home->attachment()->bells().answer(ids);
    role.say(rings > 0 && rings < 20 ? "a few" : std::to_string(rings));
    for (std::size_t i = 0; i < rings; ++i) // each was taken off, and is rung again
        home->attachment()->member()->ring(home->self().index, ids[i]);
    static_cast<void>(ready.wait(std::chrono::seconds(0))); // the parent looks, and watches the child from here on
    if (::write(ends[1], "e", 1) != 1 || test::ended(child) != 0) return 98;
    role.say(test::eventually([&] {
        static_cast<void>(ready.wait(std::chrono::milliseconds(1)));
        return home->processes().size() == 1;
    })
                 ? "the parent has swept the child"
                 : "the parent has not heard of the child's death");
    return 0;
}

TEST_CASE("an owner of many sockets that forks is rung a few times, and hears of its child's death", "[G12]")
{
    test::child_process forks("forks as the owner of many sockets");
    CHECK(forks.line() == "a few");
    CHECK(forks.line() == "the parent has swept the child");
    CHECK(forks.wait() == 0);
}
