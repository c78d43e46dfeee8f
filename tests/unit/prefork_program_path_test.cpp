// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The path of the own program, before and after its file was replaced.
#include "prefork/program_path.hpp"
#include "support/catch.hpp"

#include <filesystem>

namespace fs = std::filesystem;
using sharedsock::prefork::detail::name_in_link;
using sharedsock::prefork::detail::program_path;

TEST_CASE("the kernel's sign that a file was deleted is no part of its name", "[prefork][fault-127]")
{
    CHECK(name_in_link("/opt/server") == "/opt/server");
    CHECK(name_in_link("/opt/server (deleted)") == "/opt/server");
    CHECK(name_in_link(" (deleted)").empty());
    CHECK(name_in_link("").empty());
}

TEST_CASE("the own program is executed by the name of its file, and any other as it is given", "[prefork][fault-127]")
{
    CHECK(program_path("/proc/self/exe").to_execute() == fs::read_symlink("/proc/self/exe"));
    CHECK(program_path("/nowhere/nothing").to_execute() == "/nowhere/nothing");
    CHECK(program_path("bin/server").to_execute() == "bin/server");
}
