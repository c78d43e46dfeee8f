// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The list of ranks, its names, and its page.
#include "base/lock_rank.hpp"

#include "support/catch.hpp"

#include <fstream>
#include <set>
#include <string>
#include <vector>

using namespace sharedsock::detail;

TEST_CASE("the groups of locks that fork takes follow each other, and none shares a rank with another", "[fault-116]")
{
    CHECK(lock_rank::fork_registry < reactor_service_locks.first);
    CHECK(reactor_service_locks.last < attachment_locks.first);
    CHECK(attachment_locks.last < event_poller_locks.first);
    CHECK(event_poller_locks.last < lock_rank::liveness_registry);
}

TEST_CASE("every rank of a lock has a name of its own", "[fault-113]")
{
    std::set<std::string> names;
    for (unsigned rank = 0; rank < lock_rank_count; ++rank)
        names.insert(name_of(static_cast<lock_rank>(rank)));
    CHECK(names.size() == lock_rank_count);
    CHECK(name_of(lock_rank::winsock_startup) == std::string("winsock_startup"));
    CHECK(name_of(lock_rank::asio_descriptor) == std::string("asio_descriptor"));
    CHECK(name_of(lock_rank::liveness_registry) == std::string("liveness_registry"));
}

TEST_CASE("the table of locks in docs/concurrency.md has one row for each rank, in the order of the ranks", "[fault-113]")
{
    std::ifstream page(SHAREDSOCK_DOCS "/concurrency.md");
    REQUIRE(page);
    std::vector<std::string> expected, listed;
    for (unsigned rank = 0; rank < lock_rank_count; ++rank)
        expected.emplace_back(name_of(static_cast<lock_rank>(rank)));
    for (std::string line; std::getline(page, line);)
        if (line.starts_with("| `")) listed.push_back(line.substr(3, line.find('`', 3) - 3));
    CHECK(listed == expected);
}
