// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The verbs of the sharedsock program that show a segment and only look: list, show and who.
#include "process/command/command_stage.hpp"
#include "store/segment_header.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace detail = sharedsock::detail;

using namespace test::command;

namespace {

/// All that the files of a segment say of it: their bytes, sizes, pages and times of change.
std::map<std::string, std::string> state_of(const std::filesystem::path& directory)
{
    std::map<std::string, std::string> state;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        struct stat status;
        REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
        std::ostringstream facts;
        facts << status.st_size << ' ' << status.st_blocks << ' ' << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec << ' ';
        if (entry.is_regular_file()) {
            facts << std::ifstream(entry.path()).rdbuf();
        }
        state[entry.path().filename()] = facts.str();
    }
    return state;
}

using holder_set = std::set<std::pair<std::string, std::string>>; // pid and descriptor

holder_set find_holders(const std::string& text, const std::regex& pattern)
{
    holder_set found;
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
        found.emplace((*match)[1], (*match)[2]);
    }
    return found;
}

} // namespace

TEST_CASE("list shows a live segment, its processes, sockets and handles", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"list"});
    REQUIRE(told.code == 0);
    CHECK(std::regex_search(told.out, std::regex(stage.name() + " +live +2 +1 +2 +[0-9]")));

    const auto segment = stage.command({"list", "--json"}).json().get_child("segments").front().second;
    CHECK(segment.get<std::string>("name") == stage.name());
    CHECK(segment.get<std::string>("state") == "live");
    CHECK(segment.get<int>("processes") == 2);
    CHECK(segment.get<int>("sockets") == 1);
    CHECK(segment.get<int>("handles") == 2);
    CHECK(segment.get<std::uint64_t>("memory_bytes") > 0);
}

TEST_CASE("list shows an idle segment, a damaged one and an empty directory as what they are", "[command]")
{
    stage stage;
    CHECK_THAT(stage.command({"list"}).out, test::contains("idle"));

    std::filesystem::resize_file(stage.files_of(stage.name()) / "memory", 5000);
    CHECK_THAT(stage.command({"list"}).out, test::contains("damaged: its memory is shorter"));

    std::filesystem::remove_all(stage.files_of(stage.name()));
    const answer told = stage.command({"list"});
    CHECK(told.code == 0);
    CHECK_THAT(told.out, test::contains("no segments"));
}

TEST_CASE("list tells a segment of another layout and one of an earlier boot from a damaged one", "[command]")
{
    stage stage;
    const auto patch = [&](std::streamoff offset) {
        std::fstream memory(stage.files_of(stage.name()) / "memory", std::ios::in | std::ios::out | std::ios::binary);
        memory.seekp(offset);
        memory.put('\x55');
    };
    patch(offsetof(detail::segment_header, boot_id));
    CHECK_THAT(stage.command({"list"}).out, test::contains("stale boot"));
    patch(offsetof(detail::segment_header, version));
    CHECK_THAT(stage.command({"list"}).out, test::contains("other layout"));
    CHECK(stage.command({"show", stage.name()}).code == 3);
}

TEST_CASE("show tells of processes, addresses, owners, handles that stand by and names", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"show", stage.name(), "--json"});
    REQUIRE(told.code == 0);
    const auto all    = told.json();
    const auto socket = all.get_child("sockets").front().second;
    CHECK(all.get_child("processes").size() == 2);
    CHECK(all.get_child("processes").front().second.get<int>("pid") == stage.first.pid());
    CHECK(socket.get<std::string>("local") == "127.0.0.1:" + stage.port);
    CHECK(socket.get<bool>("listening"));
    CHECK(socket.get_child("names").front().second.data() == "http");
    CHECK(socket.get_child("handles").size() == 2);
    CHECK(socket.get<int>("registration.owner.pid") == stage.first.pid());
    CHECK(socket.get<std::string>("registration.mask") == "accept");
    CHECK(socket.get<std::string>("registration.kind") == "event_select");
    CHECK(socket.get_child("standing_by").front().second.get<int>("process.pid") == stage.second.pid());

    const answer text = stage.command({"show", stage.name()});
    CHECK_THAT(text.out, test::contains("127.0.0.1:" + stage.port));
    CHECK_THAT(text.out, test::contains("http"));
    CHECK_THAT(text.out, test::contains("processes 2 of 16, sockets 1 of 16"));
}

TEST_CASE("show and who tell which processes accept in turn", "[command]")
{
    const stage stage;
    auto first             = stage.attach();
    auto second            = stage.attach();
    const std::string port = first.ask("listen");
    REQUIRE(second.ask("redeem " + first.ask("ticket-for " + std::to_string(second.pid()))) == "done");
    const auto accepting = [&] {
        std::set<int> pids;
        const auto all = stage.command({"show", stage.name(), "--json"}).json();
        for (const auto& [none, handle] : all.get_child("sockets").front().second.get_child("handles"))
            if (handle.get<bool>("accepts_in_turn")) pids.insert(handle.get<int>("process.pid"));
        return pids;
    };
    const std::regex table("accepted from +in turn by +count\n0\\.0 +0\\.2 1\\.1 +2\n");
    const auto blocking = [&] {
        return stage.command({"show", stage.name(), "--json"}).json().get_child("sockets").front().second.get<bool>("blocking");
    };

    CHECK(accepting().empty());
    CHECK(blocking());
    REQUIRE(second.ask("accept-in-turn") == "done");
    CHECK(accepting() == std::set<int>{second.pid()});
    CHECK_FALSE(blocking());
    REQUIRE(first.ask("accept-in-turn") == "done");
    CHECK(accepting() == std::set<int>{first.pid(), second.pid()});
    CHECK(std::regex_search(stage.command({"show", stage.name()}).out, table));
    CHECK_THAT(stage.command({"who", port}).out, test::contains("pid " + std::to_string(second.pid()) + " (1.1), descriptor"));
    CHECK_THAT(stage.command({"who", port}).out, test::contains(", accepts in turn\n"));
    REQUIRE(first.ask("leave-line") == "done");
    CHECK(accepting() == std::set<int>{second.pid()});
}

TEST_CASE("show tells of a ticket that waits", "[command]")
{
    busy_stage stage;
    stage.first.ask("ticket-for " + std::to_string(stage.second.pid()));
    const auto socket = stage.command({"show", stage.name(), "--json"}).json().get_child("sockets").front().second;
    REQUIRE(socket.get_child("tickets").size() == 1);
    CHECK(socket.get_child("tickets").front().second.get<int>("source.pid") == stage.first.pid());
    CHECK_THAT(stage.command({"show", stage.name()}).out, test::contains("pid " + std::to_string(stage.second.pid()) + " ("));
}

TEST_CASE("show and who tell whether a hand-over waits for its target or was declined", "[command][G13]")
{
    const stage stage;
    auto giver             = stage.attach();
    auto target            = stage.attach();
    const std::string port = giver.ask("listen");
    REQUIRE(giver.ask("give-to " + std::to_string(target.pid())) == "done");
    const auto check_state = [&](const std::string& state) {
        const auto socket   = stage.command({"show", stage.name(), "--json"}).json().get_child("sockets").front().second;
        const auto& tickets = socket.get_child("tickets");
        REQUIRE(tickets.size() == 1);
        CHECK(tickets.front().second.get<std::string>("state") == state);
        CHECK(tickets.front().second.get<int>("source.pid") == giver.pid());
        CHECK(tickets.front().second.get<std::string>("target") == "1.1");
        INFO(stage.command({"show", stage.name()}).out);
        CHECK(std::regex_search(stage.command({"show", stage.name()}).out,
                                std::regex(" 0\\.0 +" + state + " +0\\.[0-9]+ +.*pid " + std::to_string(target.pid()))));
        CHECK_THAT(stage.command({"who", port}).out, test::contains(", " + state + "\n"));
    };
    check_state("giving");
    REQUIRE(target.ask("decline") == "done");
    check_state("returned");
}

TEST_CASE("the who command agrees with ss on the holders of a listening port", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"who", stage.port});
    REQUIRE(told.code == 0);
    const auto holders = find_holders(told.out, std::regex(R"(pid (\d+) \([0-9.]+\), descriptor (\d+))"));
    CHECK(holders.size() == 2);
    CHECK_THAT(told.out, test::contains("127.0.0.1:" + stage.port + " (tcp, listening)"));

    const answer judge = run({"ss", "-H", "-ltnp", "sport = :" + stage.port});
    if (judge.code == 127) {
        test::skip("ss (iproute2) is not installed, so only the first half is tested");
        return;
    }
    CHECK(holders == find_holders(judge.out, std::regex(R"(pid=(\d+),fd=(\d+))")));
}

TEST_CASE("the who command finds a published name, its owner and the next in the standby queue, also within one segment",
          "[command]")
{
    busy_stage stage;
    const std::string owner = "pid " + std::to_string(stage.first.pid()) + " (0.2): accept by event_select";
    const std::string next  = "pid " + std::to_string(stage.second.pid()) + " (1.1): accept";
    for (const auto& words : {std::vector<std::string>{"who", "http"}, {"who", "http", "--segment", stage.name()}}) {
        const answer told = stage.command(words);
        CHECK(told.code == 0);
        CHECK_THAT(told.out, test::contains(owner));
        CHECK_THAT(told.out, test::contains(next));
    }
    CHECK(stage.command({"who", "http", "--json"}).json().get_child("sockets").size() == 1);
}

TEST_CASE("the who command finds an AF_UNIX listener by its path", "[command]")
{
    stage stage;
    auto child             = stage.attach();
    const std::string path = stage.directory() + "/listener";
    REQUIRE(child.ask("listen " + path) == "0");
    const answer told = stage.command({"who", path});
    CHECK(told.code == 0);
    CHECK_THAT(told.out, test::contains(path + " (unix stream, listening)"));
    CHECK_THAT(told.out, test::contains("pid " + std::to_string(child.pid())));
}

TEST_CASE("the who command ends with 1 if there is no holder, in words and in JSON", "[command]")
{
    busy_stage stage;
    CHECK(stage.command({"who", "ftp"}).code == 1);
    const answer told = stage.command({"who", "ftp", "--json"});
    CHECK(told.code == 1);
    CHECK(told.json().get_child("sockets").empty());
}

TEST_CASE("list, show, who and check leave every byte of a segment as it was", "[command]")
{
    busy_stage stage;
    const auto before = state_of(stage.files_of(stage.name()));
    for (const auto& words :
         {std::vector<std::string>{"list"}, {"show", stage.name()}, {"who", stage.port}, {"check", stage.name()}}) {
        INFO(words.front());
        CHECK(stage.command(words).code == 0);
        CHECK(state_of(stage.files_of(stage.name())) == before);
    }
}

TEST_CASE("a published name that is not text does no harm to a terminal or to JSON", "[command]")
{
    busy_stage stage;
    REQUIRE(stage.first.ask("publish \x1b[2J\"\\\xff") == "done");
    CHECK(stage.command({"show", stage.name()}).out.find('\x1b') == std::string::npos);
    const auto document = stage.command({"show", stage.name(), "--json"}).json();
    std::set<std::string> names;
    for (const auto& [key, name] : document.get_child("sockets..names")) {
        names.insert(name.data());
    }
    CHECK(names == std::set<std::string>{"http", "\x1b[2J\"\\\u00ff"});
}
