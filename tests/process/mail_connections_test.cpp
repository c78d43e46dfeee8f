// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// More connections to a mailbox than it keeps.
#include "ipc/mail_connections.hpp"

#include "process/ipc/post_office.hpp"
#include "support/descriptors.hpp"

#include <cstdint>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace test;
using sharedsock::detail::mail_connections;

namespace {

unique_fd dial(const std::string& path)
{
    unique_fd connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("connect " + path);
    return connection;
}

bool write(const unique_fd& connection, const mail_message& text)
{
    return ::send(connection.get(), &text, sizeof text, MSG_NOSIGNAL) == sizeof text;
}

struct flooded_office : post_office {
    // Opens so many idle connections, more than the mailbox keeps.
    void flood(std::size_t count = 3 * mail_connections::limit())
    {
        for (std::size_t i = 0; i < count; ++i)
            idle.push_back(dial(path(0)));
    }
    std::size_t spent() const { return open_descriptors() - before - idle.size(); }

    std::vector<unique_fd> idle;
    const std::size_t before = open_descriptors();
};

} // namespace

TEST_CASE("idle connections to a mailbox take no more than its share of the descriptors, and a message arrives", "[fault-109]")
{
    flooded_office here;
    here.flood();
    CHECK_FALSE(here.next());
    CHECK(here.spent() <= mail_connections::limit() + 1);
    const unique_fd late = dial(here.path(0));
    REQUIRE(write(late, request(7)));
    const auto arrived = here.next();
    REQUIRE(arrived);
    CHECK(arrived->text.nonce == 7);
}

TEST_CASE("the mailbox connection that has been silent longest is expired first, and its sender makes another", "[fault-109]")
{
    flooded_office here;
    const unique_fd silent = dial(here.path(0));
    CHECK_FALSE(here.next());
    mailbox correspondent(here.directory.get(), here.peers);
    error_code ec;
    correspondent.send(0, request(1), -1, ec);
    REQUIRE(here.next());
    here.flood(mail_connections::limit()); // one too many
    CHECK_FALSE(here.next());
    CHECK_FALSE(write(silent, request(2))); // EPIPE: the sender knows that this message has not arrived
    correspondent.send(0, request(3), -1, ec);
    CHECK_FALSE(ec);
    CHECK(here.next()->text.nonce == 3);

    here.flood();
    CHECK_FALSE(here.next());
    const std::size_t spent = here.spent();
    correspondent.send(0, request(4), -1, ec); // the sender's connection has been expired by now
    CHECK_FALSE(ec);
    CHECK(here.next()->text.nonce == 4);
    CHECK(here.spent() <= spent + 1);
}

TEST_CASE("no message is lost in connections that are more than a mailbox keeps", "[fault-109]")
{
    flooded_office here;
    std::vector<unique_fd> senders;
    const std::size_t count = 2 * mail_connections::limit() + 5;
    for (std::size_t i = 0; i < count; ++i) {
        senders.push_back(dial(here.path(0)));
        REQUIRE(write(senders.back(), request(i + 1)));
        if (i % 3 == 0) here.flood(1);
    }
    std::set<std::uint64_t> nonces;
    while (const auto arrived = here.next()) {
        nonces.insert(arrived->text.nonce);
        CHECK(here.spent() <= mail_connections::limit() + 1 + senders.size());
    }
    CHECK(nonces.size() == count);
}

TEST_CASE("a message that is sent while its connection is expired arrives, or its sender is told", "[fault-109]")
{
    flooded_office here;
    std::set<std::uint64_t> sent;
    std::set<std::uint64_t> received;
    const auto take_all = [&] {
        while (const auto arrived = here.next())
            received.insert(arrived->text.nonce);
    };
    std::uint64_t nonce = 0;
    for (int round = 0; round < 20; ++round) {
        std::vector<unique_fd> senders;
        for (int i = 0; i < 40; ++i)
            senders.push_back(dial(here.path(0)));
        take_all();
        here.idle.clear();
        here.flood(mail_connections::limit() - 10); // expires some of them
        for (const unique_fd& one : senders) {
            if (write(one, request(++nonce))) sent.insert(nonce);
            if (nonce % 7 == 0) take_all();
        }
        take_all();
    }
    CHECK(received == sent);
    CHECK(sent.size() < nonce); // some senders were told
}

TEST_CASE("a mailbox that refuses messages reads nothing of the program's where a connection that it has expired was",
          "[fault-109]")
{
    flooded_office here;
    const unique_fd talker = dial(here.path(0));
    REQUIRE(write(talker, request(1)));
    const int number = ::dup(talker.get()); // the mailbox's end of the talker gets it
    ::close(number);
    REQUIRE(here.next());
    here.flood(mail_connections::limit()); // with the talker one too many, and the talker has been silent longest
    error_code ec;
    here.box.refuse(0, ec);
    REQUIRE_FALSE(ec);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
    const unique_fd own(ends[0]);
    const unique_fd other(ends[1]);
    REQUIRE(own.get() == number);
    REQUIRE(::send(other.get(), "mine", 4, 0) == 4);
    here.next();
    char text[4]{};
    CHECK(::recv(own.get(), text, sizeof text, MSG_DONTWAIT) == 4);
}
