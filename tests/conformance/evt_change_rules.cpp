// EVT-25: changes of the network, each reported once for each request, in networks that the tests make for themselves.
#include "conformance/event_steps.hpp"
#include "support/skip.hpp"

#include <csignal>
#include <string>

using test::next_events;
using test::next_message;
using test::no_message;
using test::silent;

namespace {

// A and B in a network of their own, where S is a socket of A that B shares.
struct own_network {
    explicit own_network(const std::string& kind = "tcp")
    {
        permitted = s.a.ask("network new") == "yes" && s.b.ask("network " + s.a.pid()) == "yes";
        if (!permitted) {
            test::skip("this process may not make a network of its own");
            return;
        }
        REQUIRE(s.a.ask("open h " + kind) == "ok");
        REQUIRE(test::share(s.a, "h", s.b) == "ok");
    }

    // The next change, of addresses and of the routes to them.
    void change()
    {
        ++changes;
        REQUIRE(s.b.ask("add_address lo:" + std::to_string(changes) + " 198.51.100." + std::to_string(changes)) == "ok");
    }

    test::two_processes s;
    int changes    = 0;
    bool permitted = false;
};

} // namespace

TEST_CASE("a change of addresses or routes is recorded once after each request", "[EVT-25]")
{
    own_network n(GENERATE("tcp", "udp"));
    if (!n.permitted) return;
    const std::string event = GENERATE("address_list_change", "routing_interface_change");
    REQUIRE(n.s.a.ask("event_select h e " + event) == "ok");
    n.change();
    CHECK(silent(n.s.a)); // no process has asked

    REQUIRE(n.s.a.ask("request_change h " + event) == "ok");
    CHECK(silent(n.s.a)); // a change before the request does not count
    n.change();
    CHECK(next_events(n.s.a) == event);
    n.change();
    CHECK(silent(n.s.a));

    REQUIRE(n.s.b.ask("request_change h " + event) == "ok"); // the request may come from any process
    n.change();
    CHECK(next_events(n.s.a) == event);
    CHECK(silent(n.s.a));

    REQUIRE(n.s.a.ask("request_change h " + event) == "ok"); // one change answers two requests
    REQUIRE(n.s.b.ask("request_change h " + event) == "ok");
    REQUIRE(n.s.b.ask("remove_address lo:1") == "ok");
    CHECK(next_events(n.s.a) == event);
    n.change();
    CHECK(silent(n.s.a));
}

TEST_CASE("requests for addresses and for routes are apart, and one change may answer both", "[EVT-25]")
{
    own_network n;
    if (!n.permitted) return;
    REQUIRE(n.s.a.ask("event_select h e all") == "ok");
    REQUIRE(n.s.a.ask("request_change h address_list_change") == "ok");
    n.change();
    CHECK(next_events(n.s.a) == "address_list_change");
    REQUIRE(n.s.a.ask("request_change h address_list_change|routing_interface_change") == "ok");
    n.change();
    std::string seen = next_events(n.s.a);
    if (seen.find('|') == std::string::npos) seen += "|" + next_events(n.s.a);
    CHECK(seen.find("address_list_change") != std::string::npos);
    CHECK(seen.find("routing_interface_change") != std::string::npos);
    REQUIRE(n.s.a.ask("request_change h routing_interface_change") == "ok");
    REQUIRE(n.s.b.ask("refuse_route 203.0.113.1") == "ok"); // routes change, addresses do not
    CHECK(next_events(n.s.a) == "routing_interface_change");
    CHECK(silent(n.s.a));
}

TEST_CASE("a request for changes is answered for the socket's own address family only", "[EVT-25]")
{
    own_network n("tcp6");
    if (!n.permitted) return;
    REQUIRE(n.s.a.ask("event_select h e address_list_change") == "ok");
    REQUIRE(n.s.a.ask("request_change h address_list_change") == "ok");
    n.change(); // of IPv4
    CHECK(silent(n.s.a));
    if (n.s.b.ask("add_address lo 2001:db8::1") != "ok") {
        test::skip("there is no IPv6 here, so only IPv4 is tested");
        return;
    }
    CHECK(next_events(n.s.a) == "address_list_change");
    REQUIRE(n.s.b.ask("add_address lo 2001:db8::2") == "ok");
    CHECK(silent(n.s.a));
}

TEST_CASE("an interface that goes down answers a request for changes of routes", "[EVT-25]")
{
    own_network n;
    if (!n.permitted) return;
    REQUIRE(n.s.a.ask("event_select h e routing_interface_change") == "ok");
    REQUIRE(n.s.a.ask("request_change h routing_interface_change") == "ok");
    REQUIRE(n.s.b.ask("remove_address lo") == "ok");
    CHECK(next_events(n.s.a) == "routing_interface_change");
    CHECK(silent(n.s.a));
}

TEST_CASE("a request for changes stays open when the owner changes, and only the owner hears of the change", "[EVT-25]")
{
    own_network n;
    if (!n.permitted) return;
    REQUIRE(n.s.a.ask("event_select h e address_list_change") == "ok");
    REQUIRE(n.s.a.ask("request_change h address_list_change") == "ok");

    SECTION("by a registration")
    {
        REQUIRE(n.s.b.ask("event_select h e address_list_change") == "ok");
        n.change();
        CHECK(next_events(n.s.b) == "address_list_change");
        CHECK(silent(n.s.a));
    }
    SECTION("by a turn")
    {
        REQUIRE(n.s.b.ask("stand_by h e address_list_change") == "ok");
        REQUIRE(n.s.a.ask("pass_on h") == "yes");
        REQUIRE(test::eventually([&] { return test::word(n.s.a.ask("query h"), "owner") == n.s.b.ask("self"); }));
        n.change();
        CHECK(next_events(n.s.b) == "address_list_change");
        CHECK(silent(n.s.a));
    }
    SECTION("by the owner's death")
    {
        n.s.a.process().kill(SIGKILL);
        REQUIRE(n.s.a.process().wait() == -SIGKILL);
        REQUIRE(n.s.b.ask("event_select h e address_list_change") == "ok");
        n.change();
        CHECK(next_events(n.s.b) == "address_list_change");
    }
    SECTION("to one that does not nominate it, and on to one that does")
    {
        REQUIRE(n.s.b.ask("event_select h e read") == "ok");
        n.change();
        CHECK(silent(n.s.b));
        REQUIRE(n.s.b.ask("event_select h e address_list_change") == "ok");
        CHECK(silent(n.s.b)); // an edge that no process listened for
        n.change();
        CHECK(next_events(n.s.b) == "address_list_change");
    }
}

TEST_CASE("a thread that only polls the event object wakes for a change of addresses", "[EVT-25][EVT-27]")
{
    own_network n;
    if (!n.permitted) return;
    REQUIRE(n.s.a.ask("event_select h e address_list_change") == "ok");
    REQUIRE(n.s.a.ask("request_change h address_list_change") == "ok");
    REQUIRE(n.s.a.ask("start t poll e 20000") == "ok");
    n.change();
    CHECK(n.s.a.ask("join t") == "yes");
    CHECK(n.s.a.ask("sig e") == "yes");
    CHECK(n.s.a.ask("enum h e") == "address_list_change");
}

TEST_CASE("a handler gets a change as a message", "[EVT-25]")
{
    test::scratch_segment segment;
    test::async_peer a(segment.name());
    test::peer b(segment.name());
    if (b.ask("network new") != "yes") {
        test::skip("this process may not make a network of its own");
        return;
    }
    if (a.ask("network " + b.pid()) != "yes") {
        test::skip("this process may not join a network");
        return;
    }
    REQUIRE(b.ask("open h tcp") == "ok");
    REQUIRE(test::share(b, "h", a) == "ok");
    REQUIRE(a.ask("async_select h read|address_list_change") == "ok");
    REQUIRE(b.ask("add_address lo:1 198.51.100.1") == "ok");
    CHECK(no_message(a));
    REQUIRE(b.ask("request_change h address_list_change") == "ok");
    REQUIRE(b.ask("add_address lo:2 198.51.100.2") == "ok");
    CHECK(next_message(a) == "h address_list_change");
    REQUIRE(b.ask("add_address lo:3 198.51.100.3") == "ok");
    CHECK(no_message(a));
    CHECK(a.ask("enum h") == "none");
}

TEST_CASE("a request for changes fails where the kernel tells of none, and the bits are silent", "[EVT-25]")
{
    test::two_processes s;
    SECTION("no such thing as an address list") { REQUIRE(s.a.ask("open h unix") == "ok"); }
    SECTION("no rtnetlink")
    {
        REQUIRE(s.a.ask("without_netlink") == "ok");
        REQUIRE(s.a.ask("open h tcp") == "ok");
    }
    REQUIRE(s.a.ask("event_select h e read|routing_interface_change|address_list_change") == "ok");
    CHECK(s.a.ask("request_change h address_list_change") == "error: operation_not_supported");
    CHECK(s.a.ask("request_change h routing_interface_change") == "error: operation_not_supported");
    CHECK(silent(s.a));
}

TEST_CASE("a request for anything but changes of routes and addresses is refused", "[EVT-25]")
{
    test::two_processes s;
    REQUIRE(s.a.ask("open h tcp") == "ok");
    CHECK(s.a.ask("request_change h none") == "error: invalid_argument, bad_event_mask");
    CHECK(s.a.ask("request_change h address_list_change|read") == "error: invalid_argument, bad_event_mask");
    CHECK(s.a.ask("request_change h 1024") == "error: invalid_argument, bad_event_mask");
    REQUIRE(s.a.ask("close h") == "ok");
    CHECK(s.a.ask("request_change h address_list_change") == "error: bad_file_descriptor, closed_handle");
}
