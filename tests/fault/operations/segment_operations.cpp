// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attachment.hpp"
#include "audit/repair.hpp"
#include "fault/operations/public_operations.hpp"

#include <stdexcept>

namespace ss = sharedsock;

namespace test {
namespace {

using v = victim;

bool alone(v& of) { return of.segment.processes().size() == 1; }
bool dead_are_gone(v& of) { return of.socket.handles().size() == 2; } // the victim's own, and the survivor's

bool gone(v& of)
{
    ss::error_code ec;
    (void)ss::segment::open("other", of.options, ec);
    return ec == ss::errc::segment_not_found;
}

void remove(v& of)
{
    const bool removed = ss::segment::remove("other", of.options, true);
    if (!removed && !gone(of)) throw std::runtime_error("it was not found");
}

// If the kernel does not say which processes live, none is taken for dead: then a sweep is left to do.
void expect_swept(v& of)
{
    if (!dead_are_gone(of)) throw std::runtime_error("the dead are not swept");
}

} // namespace

void add_segment_operations(operation_map& all)
{
    all["create a segment"]         = {.act = [](v& of) { of.segment = ss::segment::create("other", of.options); }, .holds = alone};
    all["open or create a segment"] = {.act   = [](v& of) { of.segment = ss::segment::open_or_create("other", of.options); },
                                       .holds = alone};
    all["create an unnamed segment and detach"] = {.act = [](v& of) {
        of.segment = ss::segment::create_unnamed(of.options);
        of.segment = {};
    }};
    all["open an unnamed segment"]              = {
                     .prepare = [](v& of) { of.rival = ss::segment::create_unnamed(of.options); },
                     .act     = [](v& of) { of.segment = ss::segment::open_unnamed(of.rival.memory_handle(), of.options); },
                     .holds   = [](v& of) { return of.segment.processes().size() == 2; }};
    all["remove a segment"] = {
        .prepare = [](v& of) { of.segment = ss::segment::create("other", of.options); }, .act = remove, .holds = gone};
    all["attach"] = {.act = [](v& of) { of.attach(); }, .holds = [](v& of) { return static_cast<bool>(of.segment.self()); }};
    all["detach"] = {.prepare = [](v& of) { of.own(); }, .act = [](v& of) { of.socket = {}, of.segment = {}; }};
    all["serve"]  = {.prepare = [](v& of) { of.attach(); },
                     .act =
                         [](v& of) {
                            of.segment.native_handle();
                            of.segment.poll();
                        },
                     .holds = [](v& of) { return of.segment.native_handle() >= 0; }};
    all["serve in a thread"] = {.prepare = [](v& of) { of.attach(); },
                                .act     = [](v& of) { const auto server = of.segment.serve_in_thread(); }};
    all["sweep"]             = {.prepare = [](v& of) { of.leave_a_dead_process(); },
                                .act =
                                    [](v& of) {
                            of.segment.sweep();
                            expect_swept(of);
                        },
                                .whole = false};
    all["check and repair"]  = {.prepare = [](v& of) { of.leave_a_dead_process(); },
                                .act =
                                    [](v& of) {
                                       ss::command::repair(*of.segment.attachment()->member());
                                       expect_swept(of);
                                   },
                                .whole = false};
}

} // namespace test
