// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"

#include <sharedsock/network_event.hpp>

#include <cerrno>
#include <cstdint>

using sharedsock::error_code;
using sharedsock::network_event;
using sharedsock::network_events;

TEST_CASE("the bits of the network events are Winsock's")
{
    CHECK(static_cast<std::uint32_t>(network_event::read) == 0x1);
    CHECK(static_cast<std::uint32_t>(network_event::write) == 0x2);
    CHECK(static_cast<std::uint32_t>(network_event::oob) == 0x4);
    CHECK(static_cast<std::uint32_t>(network_event::accept) == 0x8);
    CHECK(static_cast<std::uint32_t>(network_event::connect) == 0x10);
    CHECK(static_cast<std::uint32_t>(network_event::close) == 0x20);
    CHECK(static_cast<std::uint32_t>(network_event::address_list_change) == 0x200);
    CHECK(static_cast<std::uint32_t>(network_event::all) == 0x3ff);
}

TEST_CASE("a mask of network events has a text")
{
    CHECK(to_string(network_event::none) == "none");
    CHECK(to_string(network_event::oob) == "oob");
    CHECK(to_string(network_event::read | network_event::close) == "read|close");
    CHECK(to_string(network_event::all) == "read|write|oob|accept|connect|close|qos|group_qos|"
                                           "routing_interface_change|address_list_change");
    CHECK(to_string(network_event::write | static_cast<network_event>(1u << 31)) == "write|bit 31");
}

TEST_CASE("an event that occurred carries its errno in the system category", "[ENUM-5][EVT-26]")
{
    network_events happened;
    happened.occurred  = network_event::read | network_event::close | network_event::address_list_change;
    happened.errors[5] = ECONNRESET;
    happened.errors[9] = ENETDOWN;

    CHECK_FALSE(happened.error(network_event::read));
    CHECK(happened.error(network_event::close) == error_code(ECONNRESET, boost::system::system_category()));
    CHECK(happened.error(network_event::close) == boost::system::errc::connection_reset);
    CHECK(happened.error(network_event::address_list_change) == boost::system::errc::network_down);
}

TEST_CASE("an event that did not occur, and a mask that is not one event, has no error", "[ENUM-5]")
{
    network_events happened;
    happened.occurred = network_event::close;
    happened.errors.fill(ECONNRESET);

    CHECK(happened.error(network_event::close));
    CHECK_FALSE(happened.error(network_event::connect));
    CHECK_FALSE(happened.error(network_event::none));
    CHECK_FALSE(happened.error(network_event::read | network_event::close));
    happened.occurred = ~network_event::none;
    CHECK_FALSE(happened.error(static_cast<network_event>(1u << 10)));
    CHECK_FALSE(happened.error(static_cast<network_event>(1u << 31)));
}
