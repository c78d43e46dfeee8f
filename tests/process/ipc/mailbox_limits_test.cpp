// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/ipc/post_office.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

using namespace test;

namespace {

// No descriptor can be had while it lives.
class full_table {
public:
    full_table()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit few{256, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) {
            hoard_.emplace_back(fd);
        }
    }
    ~full_table() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    full_table(const full_table&)            = delete;
    full_table& operator=(const full_table&) = delete;

    void make_room(std::size_t descriptors) { hoard_.resize(hoard_.size() - descriptors); }

private:
    rlimit before_{};
    std::vector<unique_fd> hoard_;
};

} // namespace

TEST_CASE("with a full descriptor table a message stays in the mailbox, and arrives when there is room", "[DUP-9][fault-40]")
{
    post_office here;
    socket_pair pair;
    const bool accepted = GENERATE(false, true);
    if (accepted) {
        REQUIRE_FALSE(here.send(0, request(1)));
        REQUIRE(here.next()->text.nonce == 1);
    }
    REQUIRE_FALSE(here.send(0, offer_of(pair.near.get(), 2), pair.near.get()));
    pair.near.reset();

    std::vector<error_code> refusals(3);
    std::optional<delivered_message> arrived;
    bool early = false;
    {
        full_table table;
        for (auto& refusal : refusals) {
            early |= here.box.receive(refusal).has_value();
        }
        table.make_room(accepted ? 1 : 2);
        error_code ec;
        arrived = here.box.receive(ec);
        refusals.push_back(ec);
    }
    CHECK_FALSE(early);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(refusals[i] == boost::system::errc::too_many_files_open);
    }
    CHECK_FALSE(refusals[3]);
    REQUIRE(arrived);
    CHECK(arrived->text.nonce == 2);
    CHECK(connected(arrived->descriptor, pair.far));
    arrived.reset();
    CHECK(peer_closed(pair.far.get())); // no copy was left anywhere
    CHECK(here.box.dropped() == 0);
}

TEST_CASE("a full descriptor table does not hold up messages that need no descriptor", "[fault-40]")
{
    post_office here;
    const socket_pair pair;
    mailbox one(here.directory.get(), here.peers);
    mailbox two(here.directory.get(), here.peers);
    error_code failed;
    one.send(0, request(1), -1, failed);
    two.send(0, request(2), -1, failed);
    REQUIRE(here.next());
    REQUIRE(here.next());
    one.send(0, offer_of(pair.near.get(), 3), pair.near.get(), failed);
    two.send(0, request(4), -1, failed);
    REQUIRE_FALSE(failed);

    std::optional<delivered_message> first;
    error_code ec[2];
    {
        const full_table table;
        first = here.box.receive(ec[0]);
        here.box.receive(ec[1]);
    }
    CHECK_FALSE(ec[0]);
    REQUIRE(first);
    CHECK(first->text.nonce == 4);
    CHECK(ec[1] == boost::system::errc::too_many_files_open);
    CHECK(here.next()->text.nonce == 3);
}

TEST_CASE("with a full descriptor table a kept connection makes room for the one that is needed", "[fault-41]")
{
    post_office here;
    test::child_process other("correspondent", {here.scratch.path(), "1"});
    other.wait_for("ready");
    here.peers.pids[1] = other.pid();
    REQUIRE_FALSE(here.send(0, request(1)));
    error_code ec;
    {
        const full_table table;
        ec = here.send(1, request(2));
    }
    CHECK_FALSE(ec);
    CHECK(other.ask("take") == "2");
    CHECK(here.next()->text.nonce == 1);
}

TEST_CASE("a mailbox that cannot be made leaves nothing", "[fault-41]")
{
    post_office here;
    mailbox box(here.directory.get(), here.peers);
    const std::size_t before = open_descriptors();
    error_code ec;
    SECTION("a directory is in the way")
    {
        std::filesystem::create_directory(here.path(1));
        box.open(1, ec);
        CHECK(ec == boost::system::errc::address_in_use);
    }
    SECTION("no descriptors")
    {
        {
            full_table table;
            table.make_room(1);
            box.open(1, ec);
        }
        CHECK(ec == boost::system::errc::too_many_files_open);
        CHECK_FALSE(std::filesystem::exists(here.path(1)));
    }
    CHECK(box.native_handle() == -1);
    CHECK(open_descriptors() == before);
}

TEST_CASE("a full mailbox refuses a message, loses none, and takes more when it is emptied", "[fault-43]")
{
    post_office here;
    test::child_process other("correspondent", {here.scratch.path(), "1"});
    other.wait_for("ready");
    const socket_pair pair;
    std::uint64_t sent = 0;
    error_code ec;
    while (!(ec = here.send(0, offer_of(pair.near.get(), sent), pair.near.get())) && sent < 100'000) {
        ++sent;
    }
    CHECK(ec == errc::mailbox_full);
    CHECK(sent >= 64);
    CHECK_FALSE(here.send(1, request()));  // the mailbox of another process has room
    CHECK(other.ask("offer 0") == "sent"); // the connection of another sender has room

    std::uint64_t received = 0;
    std::uint64_t others   = 0;
    while (const auto arrived = here.next()) {
        CHECK(static_cast<bool>(arrived->descriptor));
        if (arrived->text.cookie == cookie_of(pair.near.get())) {
            CHECK(arrived->text.nonce == received++);
        } else {
            ++others;
        }
    }
    CHECK(received == sent);
    CHECK(others == 1);
    CHECK_FALSE(here.send(0, offer_of(pair.near.get(), 1), pair.near.get()));
    CHECK(here.next());
}
