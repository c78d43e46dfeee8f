// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A worker that takes hand-overs and drains, while a front process goes on handing over.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/deadline.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace ss = sharedsock;

/// args: name of a segment. Says its process_id, serves hand-overs until it is told to drain, and refuses them until it is told
/// that its sender was refused; then says how many it has served.
SHAREDSOCK_CHILD_ROLE("serves hand-overs until it is told to drain")
{
    auto segment    = ss::segment::open(role.args.at(0));
    int served      = 0;
    const auto each = [&] {
        while (auto got = ss::receive_hand_over(segment)) {
            ss::error_code ec;
            got->socket.send(std::as_bytes(std::span("served", 6)), 0, ec);
            ++served;
        }
    };
    std::array<int, 2> told{};
    if (::pipe(told.data()) != 0) return 1;
    std::jthread listens([&] {
        role.hear();
        ::close(told[1]);
    });
    const int box = ss::hand_over_handle(segment);
    role.say(std::to_string(segment.self().index) + ' ' + std::to_string(segment.self().generation));
    std::array<pollfd, 2> waits{pollfd{box, POLLIN, 0}, pollfd{told[0], POLLIN, 0}};
    while (waits[1].revents == 0) {
        ::poll(waits.data(), waits.size(), -1);
        each();
    }
    ss::refuse_hand_overs(segment);
    ss::refuse_hand_overs(segment); // a second time does no harm
    each();
    listens.join();
    role.hear(); // the sender was refused: no hand-over may have succeeded meanwhile
    each();
    segment = {};
    role.say(std::to_string(served));
    return 0;
}

namespace {

int connected_to(std::uint16_t port)
{
    const auto address = ss::socket_address::loopback(port);
    const int socket   = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{20 * test::slowness, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(::connect(socket, address.data(), address.size()) == 0);
    return socket;
}

bool hears_served(int socket)
{
    std::array<char, 6> room{};
    const bool heard = ::recv(socket, room.data(), room.size(), MSG_WAITALL) == static_cast<ssize_t>(room.size());
    ::close(socket);
    return heard;
}

} // namespace

TEST_CASE("a worker that refuses hand-overs and then serves those that wait loses none, and their sender keeps the rest",
          "[fault-126]")
{
    test::scratch_segment home({.sockets = 2'000});
    ss::segment& segment = home;
    auto listener        = ss::shared_socket::listen(segment, ss::socket_address::loopback(0), 1'024);
    const auto port      = listener.local_address().port();
    for (int round = 0; round < 10; ++round) {
        test::child_process worker("serves hand-overs until it is told to drain", {segment.name()});
        ss::process_id target;
        std::istringstream(worker.line()) >> target.index >> target.generation;
        std::vector<int> handed;
        ss::error_code ec;
        const test::deadline end;
        for (int i = 0; ec != ss::errc::target_gone && !end.passed(); ++i) {
            const int client = connected_to(port);
            auto connection  = listener.accept();
            if (i == 10 * round) worker.tell("drain");
            ss::hand_over(std::move(connection), target, {}, ec);
            REQUIRE((!ec || ec == ss::errc::target_gone || ec == ss::errc::mailbox_full));
            if (!ec)
                handed.push_back(client);
            else
                CHECK(connection.is_open()); // it is the caller's, as before
            if (ec) ::close(client);
        }
        CHECK(ec == ss::errc::target_gone);
        worker.tell("was refused");
        std::size_t served = 0;
        for (const int client : handed)
            served += hears_served(client);
        CHECK(served == handed.size());
        CHECK(worker.line() == std::to_string(handed.size()));
        CHECK(worker.wait() == 0);
    }
}
