// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/call_survivor.hpp"

#include "audit/inspection.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace fs = std::filesystem;
namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace test {

call_survivor::call_survivor() : home_(ss::segment::create("home", options_)), pair_(home_), serving_(home_.serve_in_thread())
{
    home_.publish("home", pair_.socket);
}

child_process call_survivor::prepare(const std::string& operation, std::size_t failing_allocation)
{
    child_process child("does one operation", {operation, directory(), std::to_string(failing_allocation)});
    given_ = pair_.socket.duplicate_for_pid(child.pid());
    child.tell(given_.to_text());
    child.wait_for("ready");
    return child;
}

std::string call_survivor::next_ticket(pid_t target)
{
    end_what_waits();
    given_ = pair_.socket.duplicate_for_pid(target);
    return given_.to_text();
}

void call_survivor::end_what_waits()
{
    ss::error_code none_yet;
    home_.revoke(given_, none_yet); // does nothing if it was redeemed
    for (const ss::waiting_ticket& one : home_.waiting_tickets())
        home_.revoke(one.value);                               // a ticket outlives its source
    while (const auto received = ss::receive_hand_over(home_)) // each hand-over is whole
        CHECK(received->bytes == carry_pattern(received->tag, received->tag));
    std::byte bytes[64];
    while (::recv(pair_.peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0) { // else the socket fills, some hundred sends later
    }
}

void call_survivor::check()
{
    home_.revoke(given_); // does nothing if it was redeemed
    // The serving thread notices the death too; one of the two sweeps.
    CHECK(eventually([&] { return home_.sweep(), home_.processes().size() == 1; }));
    end_what_waits();
    CHECK(pair_.socket.handles().size() == 1);
    ss::error_code ec;
    for (const auto& one : ss::command::inspect("home", options_, ec))
        FAIL_CHECK(one.text);
    CHECK_FALSE(ec);
    take_over();
    check_files();
}

void call_survivor::take_over()
{
    pair_.socket.event_select(event_, ss::network_event::read);
    CHECK(pair_.socket.registration().value().owner == home_.self());
    pair_.say("?");
    CHECK(event_.wait(10s));
    CHECK(pair_.socket.enum_network_events(event_).has(ss::network_event::read));
    std::byte bytes[64];
    CHECK(pair_.socket.receive(bytes) > 0);
}

// The next process makes and removes its segment; then nothing is left but the files of the living.
void call_survivor::check_files()
{
    ss::segment::open_or_create("other", options_);
    ss::segment::remove("other", options_);
    std::vector<std::string> left;
    for (const auto& one : fs::directory_iterator(files_.path())) {
        const std::string name = one.path().filename();
        const auto unnamed     = name.find('@');
        if (unnamed != std::string::npos && ss::segment::remove(name.substr(unnamed), options_)) continue;
        left.push_back(name);
    }
    CHECK(left == std::vector<std::string>{"sharedsock." + std::to_string(::geteuid()) + ".home"});
}

} // namespace test
