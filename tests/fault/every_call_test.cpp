// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The stepper kills in the core, below files and descriptors. Here a process is killed before and after each system call of the
// public operations, with all their effects on files, mailboxes and sockets.
#include "fault/harness/call_survivor.hpp"
#include "fault/harness/call_tracer.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <cstdio>

namespace {

// Runs the child to the nth entry to or exit from a system call of its operation and kills it there. False if there are fewer.
bool kill_at(test::child_process& child, int nth, bool in_child)
{
    test::call_tracer tracer(child.pid(), in_child);
    child.tell("go");
    using stop   = test::call_tracer::stop;
    stop reached = tracer.next();
    for (int seen = 1; reached != stop::over && seen < nth; ++seen)
        reached = tracer.next();
    tracer.kill();
    if (in_child) child.wait_for("done"); // the parent goes on
    child.kill(SIGKILL);
    child.wait();
    return reached != stop::over;
}

} // namespace

TEST_CASE("SIGKILL before or after any system call of an operation leaves a sound segment, and others lose nothing",
          "[G7][fault-1][fault-3]")
{
    test::call_survivor here;
    int kills = 0;
    for (const auto& [name, one] : test::public_operations()) {
        int stops = 0;
        for (bool killed = true; killed;) {
            INFO(name << ", stop " << ++stops);
            test::child_process child = here.prepare(name);
            killed                    = kill_at(child, stops, one.in_child);
            here.check();
        }
        std::printf("%-36s %4d stops\n", name.c_str(), stops - 1);
        kills += stops;
    }
    std::printf("%zu operations, %d kills\n", test::public_operations().size(), kills);
}
