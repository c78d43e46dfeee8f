// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The verbs of the sharedsock program that find damage in a segment, mend it and clear it away: check, check --repair, sweep, rm.
#include "process/command/command_damage.hpp"
#include "process/command/command_stage.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "tables/table_view.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;

using namespace test::command;

/// args: segment, directory. Makes, publishes, owns, duplicates and closes sockets until its input ends.
SHAREDSOCK_CHILD_ROLE("is never still")
{
    auto segment = ss::segment::open(role.args.at(0), options_of(role.args.at(1)));
    role.say("attached");
    std::jthread busy([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            ss::event_object ready;
            auto socket = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
            socket.event_select(ready, ss::network_event::accept);
            auto other = ss::shared_socket::redeem(segment, socket.duplicate(segment.self()));
            other.stand_by(ready, ss::network_event::accept);
        }
    });
    role.hear();
    return 0;
}

/// args: directory. Makes an unnamed segment, and says its name in the list.
SHAREDSOCK_CHILD_ROLE("has an unnamed segment")
{
    const auto segment = ss::segment::create_unnamed(options_of(role.args.at(0)));
    std::ostringstream name;
    name << '@' << std::hex << std::setfill('0');
    for (const unsigned byte : segment.uuid())
        name << std::setw(2) << byte;
    role.say(name.str());
    role.hear();
    return 0;
}

TEST_CASE("check finds a live segment clean", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"check", stage.name()});
    CHECK(told.code == 0);
    CHECK(told.out == "segment " + stage.name() + " is sound\n");
    CHECK_FALSE(stage.command({"check", stage.name(), "--json"}).json().get<bool>("damaged"));
}

TEST_CASE("a segment that changes all the time is found clean by check, and is listed and shown", "[command]")
{
    stage stage;
    std::vector<test::child_process> children;
    for (int count = 0; count < 3; ++count) {
        children.emplace_back("is never still", std::vector{stage.name(), stage.directory()});
        children.back().wait_for("attached");
    }
    for (int round = 0; round < 50; ++round) {
        const answer told = stage.command({"check", stage.name()});
        INFO(told.out << told.err);
        REQUIRE(told.code == 0);
        REQUIRE(told.out == "segment " + stage.name() + " is sound\n");
        REQUIRE(stage.command({"show", stage.name()}).code == 0);
    }
}

TEST_CASE("check reports the records of a killed process as not swept, and as no damage, until a sweep", "[command]")
{
    busy_stage stage;
    stage.kill_first();
    const answer told = stage.command({"check", stage.name()});
    CHECK(told.code == 0);
    CHECK_THAT(told.out, test::contains("not swept yet: process 0.2 ("));
    CHECK_THAT(told.out, test::contains("died and left: 1 handle, 1 ownership of events\n"));
    CHECK_THAT(stage.command({"list"}).out, test::contains("1 + 1 dead"));

    const answer swept = stage.command({"sweep", stage.name()});
    CHECK(swept.code == 0);
    CHECK_THAT(swept.out, test::contains("swept 1 process: "));
    CHECK_THAT(swept.out, test::contains("pid " + std::to_string(stage.first.pid())));

    CHECK(stage.command({"check", stage.name()}).out == "segment " + stage.name() + " is sound\n");
    CHECK_THAT(stage.command({"who", stage.port}).out,
               test::contains("pid " + std::to_string(stage.second.pid()) + " (1.1): accept"));
    CHECK_THAT(stage.command({"sweep", "--all"}).out, test::contains("no dead process to sweep"));
}

TEST_CASE("the files of an unnamed segment whose members are dead go with the next sweep of all, and a live segment stays",
          "[command]")
{
    stage stage;
    test::child_process dead("has an unnamed segment", {stage.directory()});
    test::child_process alive("has an unnamed segment", {stage.directory()});
    const std::string of_the_dead = dead.line();
    const std::string of_the_live = alive.line();
    REQUIRE(of_the_dead != of_the_live);
    dead.kill(SIGKILL);
    dead.wait();
    CHECK_THAT(stage.command({"list"}).out, test::contains(of_the_dead));
    CHECK_THAT(stage.command({"sweep", "--all"}).out,
               test::contains("segment " + of_the_dead + ": removed, all its members have died\n"));
    const std::string left = stage.command({"list"}).out;
    CHECK_THAT(left, !test::contains(of_the_dead));
    CHECK_THAT(left, test::contains(of_the_live));
}

TEST_CASE("check tells every damage that was sown into a live segment", "[command]")
{
    busy_stage stage;
    memory_of memory(stage.name(), stage.directory());
    const auto first_byte = reinterpret_cast<std::byte*>(memory.bytes.header);
    const std::vector<std::byte> sound(first_byte, first_byte + detail::segment_plan::of(memory.bytes.capacity).size_bytes);
    for (const seeded_damage& each : damages()) {
        INFO(each.told);
        each.sow(memory.bytes);
        const answer told = stage.command({"check", stage.name()});
        CHECK(told.code == 1);
        CHECK_THAT(told.out, test::contains(each.told));
        CHECK_THAT(told.out, test::contains("is damaged: stop its processes"));
        CHECK(stage.command({"show", stage.name()}).code == 0); // show reads any bytes
        std::copy(sound.begin(), sound.end(), first_byte);
        REQUIRE(stage.command({"check", stage.name()}).code == 0);
    }
}

TEST_CASE("check --repair mends every damage that was sown into a live segment, whose processes go on", "[command][fault-59]")
{
    for (const seeded_damage& each : damages()) {
        busy_stage stage;
        memory_of memory(stage.name(), stage.directory());
        INFO(each.told);
        each.sow(memory.bytes);
        const answer told = stage.command({"check", stage.name(), "--repair"});
        INFO(told.out);
        CHECK(told.code == 0);
        CHECK_THAT(told.out, test::contains("mended: "));
        CHECK_THAT(told.out, test::contains(each.told));
        CHECK(stage.command({"check", stage.name()}).out == "segment " + stage.name() + " is sound\n");
        CHECK_THAT(stage.command({"check", stage.name(), "--repair"}).out, !test::contains("mended"));
        CHECK(stage.first.ask("own") == "done"); // both processes have their handles
        CHECK(stage.second.ask("own") == "done");
        CHECK(stage.first.ask("stand-by") == "done");
        CHECK_THAT(stage.command({"who", stage.port}).out,
                   test::contains("pid " + std::to_string(stage.second.pid()) + " (1.1): accept"));
        CHECK(memory.bytes.header->damages.load() == 0); // no process saw the damage
    }
}

TEST_CASE("check --repair ends records that no process could ever end, and leaves those of live processes", "[command]")
{
    using namespace detail;
    busy_stage stage;
    memory_of memory(stage.name(), stage.directory());
    table_view& bytes = memory.bytes;
    bytes.handle(5)->life.store(handle_life{0, 9, handle_state::held}.encode()); // leaked: there is no process 9
    bytes.handle(6)->life.store(handle_life{0, 9, handle_state::claimed}.encode());
    bytes.handle(7)->life.store(0x700);
    bytes.socket(4)->life.store(slot_life{0, 9, slot_state::building}.encode());
    bytes.process(0)->handles.store(0); // the death of process 0 would leave its handle for ever
    const answer told = stage.command({"check", stage.name(), "--repair", "--json"});
    INFO(told.out);
    CHECK(told.code == 0);
    CHECK(told.json().get_child("mended").size() == 5);
    CHECK(load(*bytes.handle(5)).state == handle_state::free);
    CHECK(load(*bytes.handle(6)).state == handle_state::free);
    CHECK(load(*bytes.socket(4)).state == slot_state::free);
    stage.kill_first();
    CHECK(stage.command({"sweep", stage.name()}).code == 0);
    CHECK(stage.command({"check", stage.name()}).out == "segment " + stage.name() + " is sound\n");
    CHECK(stage.second.ask("own") == "done");
}

TEST_CASE("check --repair again and again does no harm to processes that work meanwhile", "[command]")
{
    busy_stage stage;
    memory_of memory(stage.name(), stage.directory());
    std::vector<test::child_process> children;
    for (int count = 0; count < 3; ++count) {
        children.emplace_back("is never still", std::vector{stage.name(), stage.directory()});
        children.back().wait_for("attached");
    }
    for (int round = 0; round < 20; ++round) {
        const seeded_damage& each =
            damages()[static_cast<std::size_t>(round) % 5]; // in the list of socket 0, which the children do not touch
        INFO(each.told);
        each.sow(memory.bytes);
        const answer told = stage.command({"check", stage.name(), "--repair"});
        INFO(told.out << told.err);
        REQUIRE(told.code == 0);
        REQUIRE(stage.command({"check", stage.name()}).out == "segment " + stage.name() + " is sound\n");
    }
    for (test::child_process& child : children) {
        child.close_input();
        CHECK(child.wait() == 0); // no call of the child failed
    }
    CHECK(stage.first.ask("own") == "done");
    CHECK(memory.bytes.header->damages.load() == 0);
}

TEST_CASE("check --repair leaves a damaged header alone, and says that it cannot be mended", "[command]")
{
    busy_stage stage;
    memory_of(stage.name(), stage.directory()).bytes.header->capacity.sockets += 1;
    const answer told = stage.command({"check", stage.name(), "--repair"});
    CHECK(told.code == 1);
    CHECK_THAT(told.out, test::contains("its header contradicts itself"));
}

TEST_CASE("check tells damage in a copy of a segment that no process is attached to", "[command]")
{
    busy_stage stage;
    const std::string copy = stage.name() + "-copy";
    std::filesystem::create_directory(stage.files_of(copy), stage.files_of(stage.name()));
    for (const auto& entry : std::filesystem::directory_iterator(stage.files_of(stage.name()))) {
        if (entry.is_regular_file()) {
            std::filesystem::copy(entry.path(), stage.files_of(copy) / entry.path().filename());
        }
    }
    const answer sound = stage.command({"check", copy});
    CHECK(sound.code == 0);
    CHECK_THAT(sound.out, test::contains("not swept yet: process 1.1 ("));

    memory_of(copy, stage.directory()).bytes.socket(0)->first_handle.store(0);
    const answer damaged = stage.command({"check", copy, "--json"});
    CHECK(damaged.code == 1);
    CHECK(damaged.json().get<bool>("damaged"));
}

TEST_CASE("check and show end with a report whatever bytes a segment has", "[command]")
{
    busy_stage stage;
    memory_of memory(stage.name(), stage.directory());
    auto* const begin = reinterpret_cast<std::uint8_t*>(memory.bytes.processes);
    auto* const end   = reinterpret_cast<std::uint8_t*>(memory.bytes.socket(0) + 1);
    std::mt19937 random(GENERATE(1u, 2u, 3u, 4u, 5u));
    std::generate(begin, end, [&] { return static_cast<std::uint8_t>(random()); });
    CHECK(stage.command({"check", stage.name()}).code == 1);
    CHECK(stage.command({"show", stage.name()}).code == 0);
    CHECK_NOTHROW(stage.command({"show", stage.name(), "--json"}).json());
    CHECK(stage.command({"list"}).code == 0);
}

TEST_CASE("rm refuses a segment that is in use, and removes it by force or when no process is left", "[command]")
{
    busy_stage stage;
    const answer refused = stage.command({"rm", stage.name()});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, test::contains("is in use"));

    SECTION("no process is left")
    {
        stage.kill_first();
        stage.second.close_input();
        REQUIRE(stage.second.wait() == 0);
        CHECK(stage.command({"rm", stage.name()}).code == 0);
    }
    SECTION("by force") { CHECK(stage.command({"rm", stage.name(), "--force"}).code == 0); }
    CHECK_FALSE(std::filesystem::exists(stage.files_of(stage.name())));
    CHECK(stage.command({"rm", stage.name()}).code == 1);
    CHECK(stage.command({"show", stage.name()}).code == 1);
}
