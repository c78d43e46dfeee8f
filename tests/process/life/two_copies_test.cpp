// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Two shared objects of one process, each with a copy of the library: each takes the other for another process, but the
// kernel takes their locks for those of one process.
#include "process/life/copy_of_library.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <dlfcn.h>

namespace ss = sharedsock;

namespace {

const test::copy_of_library& load(const char* path)
{
    void* const loaded = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (loaded == nullptr) throw std::runtime_error(::dlerror());
    return *static_cast<const test::copy_of_library*>(::dlsym(loaded, "sharedsock_copy"));
}

std::string answer(bool done) { return done ? "ok" : "failed"; }

} // namespace

/// args: segment. Commands say the copy first: "1 open".
SHAREDSOCK_CHILD_ROLE(has two copies of the library)
{
    const test::copy_of_library copies[] = {load(SHAREDSOCK_COPY_1), load(SHAREDSOCK_COPY_2)};
    const auto serve                     = [&](const test::copy_of_library& copy, const std::string& verb) {
        if (verb == "open") return answer(copy.open(role.args.at(0).c_str()));
        if (verb == "self") return std::to_string(copy.self());
        if (verb == "select") return answer(copy.select());
        if (verb == "owns") return answer(copy.owns());
        if (verb == "look") return answer(copy.look());
        if (verb == "use") return answer(copy.use());
        if (verb == "close") return copy.close(), answer(true);
        return answer(copy.redeem(verb.c_str()));
    };
    return role.serve({
        {"1", [&](const std::string& verb) { return serve(copies[0], verb); }},
        {"2", [&](const std::string& verb) { return serve(copies[1], verb); }},
    });
}

TEST_CASE("two copies of the library in one process are two processes, and mend the damage of one to the other's lock",
          "[fault-33]")
{
    test::scratch_segment home;
    test::connection pair(home);
    test::child_process child("has two copies of the library", {home.name()});
    const auto live = [&](std::size_t copies) { // each copy checks its lock at its first call in a second
        for (std::size_t copy = 1; copy <= copies; ++copy)
            CHECK(child.ask(std::to_string(copy) + " look") == "ok");
        const auto all = home->processes();
        return all.size() == copies + 1 &&
               std::all_of(all.begin(), all.end(), [](const ss::process_info& one) { return one.alive; });
    };
    REQUIRE(child.ask("1 open") == "ok");
    REQUIRE(child.ask("2 open") == "ok");
    const auto first = static_cast<std::uint32_t>(std::stoul(child.ask("1 self")));
    REQUIRE(std::stoul(child.ask("2 self")) != first);
    REQUIRE(test::eventually([&] { return live(2); })); // the second has opened and closed the first one's lock file
    for (const ss::process_info& one : home->processes()) {
        if (one.id == home->self()) continue;
        const std::string copy = one.id.index == first ? "1 " : "2 ";
        REQUIRE(child.ask(copy + pair.socket.duplicate(one.id).to_text()) == "ok");
    }
    CHECK(pair.socket.handles().size() == 3);

    CHECK(child.ask("1 select") == "ok");
    CHECK(child.ask("2 select") == "ok");
    CHECK(child.ask("1 owns") == "failed");
    CHECK(child.ask("2 owns") == "ok");

    CHECK(child.ask("2 close") == "ok"); // closes the lock file, and so drops the other copy's lock
    CHECK(test::eventually([&] { return live(1); }));
    CHECK(home->sweep() == 0);
    CHECK(home->processes().size() == 2);
    CHECK(pair.socket.handles().size() == 2);
    CHECK(child.ask("1 select") == "ok");
    CHECK(child.ask("1 close") == "ok");
    CHECK(pair.socket.handles().size() == 1);
}
