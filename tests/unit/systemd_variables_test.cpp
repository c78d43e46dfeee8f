// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"
#include "systemd/variables.hpp"

#include <string>
#include <vector>

namespace text = sharedsock::detail::manager_text;
using names    = std::vector<std::string>;

TEST_CASE("descriptors are taken if LISTEN_PID is this process, with their names", "[systemd]")
{
    CHECK(text::passed_names(7, "7", "2", "web:dns") == names{"web", "dns"});
    CHECK(text::passed_names(7, "7", "2", "web:web") == names{"web", "web"});
    CHECK(text::passed_names(7, "7", "2", ":") == names{"", ""});
    CHECK(text::passed_names(7, "7", "2", nullptr) == names{"unknown", "unknown"});
    CHECK(text::passed_names(7, "7", "0", "") == names{});
}

TEST_CASE("no descriptors are taken if none were passed, or if they were passed to another process", "[systemd]")
{
    CHECK(text::passed_names(7, nullptr, nullptr, nullptr) == names{});
    CHECK(text::passed_names(7, nullptr, "2", "web:dns") == names{});
    CHECK(text::passed_names(7, "8", "2", "web:dns") == names{});
    CHECK(text::passed_names(7, "7", nullptr, nullptr) == names{});
}

TEST_CASE("a malformed LISTEN_ variable is an error, not an empty list", "[systemd]")
{
    for (const char* const bad : {"", " 7", "7 ", "-7", "0", "seven", "99999999999999999999"})
        CHECK(!text::passed_names(7, bad, "1", "web"));
    for (const char* const bad : {"", "-1", "1x", "2147483647", "99999999999999999999"})
        CHECK(!text::passed_names(7, "7", bad, "web"));
    CHECK(!text::passed_names(7, "7", "1", "web:dns"));
    CHECK(!text::passed_names(7, "7", "3", "web:dns"));
}

TEST_CASE("NOTIFY_SOCKET is a path or an abstract name of at most 107 bytes", "[systemd]")
{
    const std::string limit(106, 'x');
    CHECK(to_string(text::notify_address("/run/notify").value()) == "/run/notify");
    CHECK(to_string(text::notify_address("@notify").value()) == "@notify");
    CHECK(text::notify_address("/" + limit));
    CHECK(!text::notify_address("/" + limit + "x"));
    for (const char* const bad : {"", "/", "@", "notify", "vsock:2:1234"})
        CHECK(!text::notify_address(bad));
}

TEST_CASE("the name of a stored descriptor is 1 to 255 printable characters without a colon", "[systemd]")
{
    CHECK(text::is_descriptor_name("connection-1 of web"));
    CHECK(text::is_descriptor_name(std::string(255, 'x')));
    CHECK(!text::is_descriptor_name(std::string(256, 'x')));
    for (const char* const bad : {"", "a:b", "a\nb", "a\tb", "\x7f", "\xc3\xa9"})
        CHECK(!text::is_descriptor_name(bad));
}
