// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/public_operations.hpp"

#include <sharedsock/prefork.hpp>

#include <chrono>

namespace pf = sharedsock::prefork;
using namespace std::chrono_literals;

namespace test {
namespace {

using v = victim;

int serve(pf::worker& self)
{
    self.ready();
    self.wait_for_drain();
    return 0;
}

// A start that fails is tried again, so this succeeds though a call fails once.
void run_workers(v&)
{
    pf::options how;
    how.workers       = 1;
    how.respawn.first = 1ms;
    pf::supervisor workers(how, serve);
    workers.start();
    workers.wait_ready(10s);
    workers.stop();
    workers.run();
}

} // namespace

void add_process_operations(operation_map& all)
{
    all["fork"] = {
        .prepare = [](v& of) { of.own(); }, .act = [](v& of) { of.fork_and_use(); }, .holds = [](v& of) { return of.owns(); }};
    all["be forked"]    = {.prepare  = [](v& of) { of.own(); },
                           .act      = [](v& of) { of.fork_and_use(); },
                           .holds    = [](v& of) { return of.owns(); },
                           .in_child = true};
    all["run a worker"] = {.prepare = [](v& of) { of.hold(); }, .act = run_workers};
}

} // namespace test
