// STATE-11 and STATE-12: operations that several processes start on one socket at the same time.
#include "conformance/state_steps.hpp"
#include "support/eventually.hpp"
#include "support/thread_waits.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

using test::a_thread_waits;
using test::state::port_of;
using test::state::shared_connection;
using test::state::two_processes;

TEST_CASE("operations that several processes have started are all honoured", "[STATE-11]")
{
    shared_connection s;
    const auto both_wait = [&] {
        return test::eventually([&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); });
    };
    const std::string much = "20000000"; // more than all buffers on the way

    SECTION("receives")
    {
        REQUIRE(s.a.ask("start t receive h 1") == "ok");
        REQUIRE(s.b.ask("start t receive h 1") == "ok");
        REQUIRE(both_wait());
        CHECK(s.b.ask("send h x") == "1"); // a third operation, which need not wait
        CHECK(s.x.receive(1) == "x");
        CHECK(s.a.ask("running t") == "yes");
        CHECK(s.b.ask("running t") == "yes");
        s.x.send("12");
        std::string both[] = {s.a.ask("join t"), s.b.ask("join t")};
        std::sort(std::begin(both), std::end(both));
        CHECK(both[0] == "\"1\"");
        CHECK(both[1] == "\"2\"");
    }
    SECTION("sends")
    {
        REQUIRE(s.a.ask("start t send_many h " + much + " a") == "ok");
        REQUIRE(s.b.ask("start t send_many h " + much + " b") == "ok");
        REQUIRE(both_wait());
        const std::string all = s.x.receive(2 * std::stoul(much));
        CHECK(std::count(all.begin(), all.end(), 'a') == std::stol(much));
        CHECK(std::count(all.begin(), all.end(), 'b') == std::stol(much));
        CHECK(s.a.ask("join t") == much);
        CHECK(s.b.ask("join t") == much);
    }
    SECTION("a send and a receive")
    {
        REQUIRE(s.a.ask("start t send_many h " + much) == "ok");
        REQUIRE(s.b.ask("start t receive h 1") == "ok");
        REQUIRE(both_wait());
        s.x.send("x");
        CHECK(s.b.ask("join t") == "\"x\"");
        CHECK(s.a.ask("running t") == "yes");
        CHECK(s.x.receive(std::stoul(much)).size() == std::stoul(much));
        CHECK(s.a.ask("join t") == much);
    }
    SECTION("receives in two threads of each process")
    {
        for (const char* const thread : {"t", "u"}) {
            REQUIRE(s.a.ask(std::string("start ") + thread + " receive h 1") == "ok");
            REQUIRE(s.b.ask(std::string("start ") + thread + " receive h 1") == "ok");
        }
        REQUIRE(test::eventually([&] {
            return test::threads_that_wait(s.a.process().pid()) == 2 && test::threads_that_wait(s.b.process().pid()) == 2;
        }));
        s.x.send("1234");
        std::string all = s.a.ask("join t") + s.a.ask("join u") + s.b.ask("join t") + s.b.ask("join u");
        std::sort(all.begin(), all.end());
        CHECK(all == "\"\"\"\"\"\"\"\"1234");
    }
}

TEST_CASE("accepts that several processes have started are all honoured", "[STATE-11]")
{
    two_processes s;
    const std::uint16_t port = port_of(s.a.ask("listener l"));
    REQUIRE(test::share(s.a, "l", s.b) == "ok");
    REQUIRE(s.a.ask("start t accept l s") == "ok");
    REQUIRE(s.b.ask("start t accept l s") == "ok");
    REQUIRE(test::eventually([&] { return a_thread_waits(s.a.process().pid()) && a_thread_waits(s.b.process().pid()); }));
    auto first  = test::plain_socket::connect(port);
    auto second = test::plain_socket::connect(port);
    CHECK(s.a.ask("join t") == "ok");
    CHECK(s.b.ask("join t") == "ok");
    CHECK(s.a.ask("peer s") != s.b.ask("peer s"));
}

TEST_CASE("a connect that waits is honoured though other processes connect or register meanwhile", "[STATE-11][STATE-5]")
{
    two_processes s;
    test::plain_listener full(0);
    auto in_the_way        = test::plain_socket::connect(full.port()); // the queue has room for one
    const std::string port = std::to_string(full.port());
    REQUIRE(s.a.ask("open h tcp") == "ok");
    REQUIRE(test::share(s.a, "h", s.b) == "ok");
    REQUIRE(s.a.ask("start t connect h " + port) == "ok");
    REQUIRE(test::eventually([&] { return a_thread_waits(s.a.process().pid()); }));

    SECTION("another connect, which is told of the first")
    {
        CHECK(s.b.ask("connect h " + port) == "error: connection_already_in_progress");
    }
    SECTION("a registration, which makes the socket non-blocking")
    {
        REQUIRE(s.b.ask("event e") == "ok");
        REQUIRE(s.b.ask("event_select h e connect|write") == "ok");
    }
    CHECK(s.a.ask("running t") == "yes");
    auto first = full.accept(); // makes room: the kernel's next try succeeds
    auto x     = full.accept();
    CHECK(s.a.ask("join t") == "ok");
    CHECK(s.b.ask("connect h " + port) == "error: already_connected");
    CHECK(s.b.ask("send h x") == "1");
    CHECK(x.receive(1) == "x");
}

TEST_CASE("concurrent sends may interleave and lose nothing", "[STATE-12]")
{
    shared_connection s;
    REQUIRE(s.a.ask("start t send_many h 1000000 a") == "ok");
    REQUIRE(s.b.ask("start t send_many h 1000000 b") == "ok");
    const std::string all = s.x.receive(2'000'000);
    CHECK(std::count(all.begin(), all.end(), 'a') == 1'000'000);
    CHECK(std::count(all.begin(), all.end(), 'b') == 1'000'000);
    CHECK(s.a.ask("join t") == "1000000");
    CHECK(s.b.ask("join t") == "1000000");
}
