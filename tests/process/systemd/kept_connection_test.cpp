// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/systemd/service_manager.hpp"
#include "support/catch.hpp"
#include "support/plain_socket.hpp"

#include <sharedsock/systemd.hpp>

#include <csignal>
#include <cstddef>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

TEST_CASE("a connection and the bytes read from it survive the SIGKILL of every process of the service", "[systemd]")
{
    test::service_manager manager;
    test::plain_listener listener;
    test::child_process first = manager.start({{"web", listener.descriptor()}});
    CHECK(first.ask("receive") == "web");
    test::plain_socket client = test::plain_socket::connect(listener.port());
    client.send("one line\n");
    CHECK(first.ask("accept_and_keep web") == "one ");
    const test::manager_message stored = manager.next();
    CHECK(stored.text == "FDSTORE=1\nFDNAME=connection-1\nFDPOLL=0");
    REQUIRE(stored.descriptors.size() == 2);
    first.kill(SIGKILL);
    CHECK(first.wait() == -SIGKILL);

    // A manager may pass them in any order.
    const bool swapped  = GENERATE(false, true);
    const int numbers[] = {stored.descriptors[0].get(), stored.descriptors[1].get()};
    test::child_process second =
        manager.start({{"web", listener.descriptor()}, {"connection-1", numbers[swapped]}, {"connection-1", numbers[!swapped]}});
    CHECK(second.ask("receive") == "web connection-1 connection-1");
    CHECK(second.ask("take_kept") == "connection-1 77 one ; left 1");
    CHECK(second.ask("answer_kept") == "ok");
    CHECK(client.receive(9) == "one line\n");
}

TEST_CASE("a connection without its memory, memory without its connection, and a name that occurs thrice are left alone",
          "[systemd]")
{
    test::service_manager manager;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const test::held_fd one(ends[0]);
    const test::held_fd other(ends[1]);
    keep_connection(ss::systemd::notifier::from_environment(), "kept", one.get());
    const test::manager_message stored = manager.next();
    REQUIRE(stored.descriptors.size() == 2);
    const int socket            = stored.descriptors[0].get();
    const int memory            = stored.descriptors[1].get();
    test::child_process service = manager.start({{"socket", socket},
                                                 {"memory", memory},
                                                 {"three", socket},
                                                 {"three", memory},
                                                 {"three", socket},
                                                 {"kept", socket},
                                                 {"kept", memory}});
    CHECK(service.ask("receive") == "socket memory three three three kept kept");
    CHECK(service.ask("take_kept") == "kept 0 ; left 5");
}

TEST_CASE("a carry of the largest size comes back whole, and a larger one is refused", "[systemd]")
{
    test::service_manager manager;
    const auto service = ss::systemd::notifier::from_environment();
    const test::held_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    std::vector<std::byte> bytes(ss::max_carry + 1);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 7 >> 3);
    ss::error_code ec;
    keep_connection(service, "large", socket.get(), {bytes, 1}, ec);
    CHECK(ec == ss::errc::carry_too_large);
    bytes.pop_back();
    keep_connection(service, "large", socket.get(), {bytes, 1});
    const test::manager_message stored = manager.next();
    REQUIRE(stored.descriptors.size() == 2);
    std::vector<std::byte> found(bytes.size());
    std::size_t done = 0;
    while (done < found.size()) {
        const ssize_t got =
            ::pread(stored.descriptors[1].get(), found.data() + done, found.size() - done, static_cast<off_t>(24 + done));
        REQUIRE(got > 0);
        done += static_cast<std::size_t>(got);
    }
    CHECK(found == bytes);
}
