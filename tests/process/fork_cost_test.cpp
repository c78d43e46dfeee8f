// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The cost of a fork to a process with many handles.
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"
#include "support/skip.hpp"

#include <cstddef>
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
