// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/restart/generation_role.hpp"
#include "support/catch.hpp"

#include <string>

TEST_CASE("the first generation listens on what the service manager passed under that name, and its successor has it from there",
          "[restart][systemd]")
{
    test::service_under_test service;
    test::child_process first = service.start();
    const std::string port    = first.ask("passed http");
    CHECK(first.ask("join") == "first");
    CHECK(first.ask("listen http") == port);
    first.ask("ready");
    test::child_process second = service.start_next(first);
    CHECK(second.ask("listen http") == port);
    CHECK(second.ask("listen admin") != port);
}
