// The sharedsock program, as people and programs use it: it is started, and its answers are read.
#include "segment_file.hpp"
#include "socket_table.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/unique_name.hpp"
#include "tables.hpp"
#include "unique_fd.hpp"

#include <sharedsock/sharedsock.hpp>

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;

constexpr std::uint32_t capacity = 16;

ss::segment_options options_of(const std::string& directory)
{
    ss::segment_options options;
    options.sockets   = capacity;
    options.processes = capacity;
    options.directory = directory;
    return options;
}

} // namespace

/// args: segment, directory. Attaches, and does to one socket what it is told.
SHAREDSOCK_CHILD_ROLE("attaches and does as told")
{
    auto segment = ss::segment::open(role.args.at(0), options_of(role.args.at(1)));
    ss::event_object ready;
    ss::shared_socket socket;
    const detail::unique_fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    ss::turn_acceptor acceptor;
    role.say("attached");
    return role.serve({
        {"listen",
         [&](const std::string& path) {
             const auto where = path.empty() ? ss::socket_address::loopback(0) : ss::socket_address::local(path);
             socket           = ss::shared_socket::listen(segment, where);
             return std::to_string(socket.local_address().port());
         }},
        {"publish",
         [&](const std::string& name) {
             segment.publish(name, socket);
             return std::string("done");
         }},
        {"own",
         [&](const std::string&) {
             socket.event_select(ready, ss::network_event::accept);
             return std::string("done");
         }},
        {"stand-by",
         [&](const std::string&) {
             socket.stand_by(ready, ss::network_event::accept);
             return std::string("done");
         }},
        {"accept-in-turn",
         [&](const std::string&) {
             acceptor = ss::turn_acceptor(std::move(socket));
             acceptor.stand_by(epoll.get(), 1, 2);
             return std::string("done");
         }},
        {"leave-line",
         [&](const std::string&) {
             acceptor.leave();
             return std::string("done");
         }},
        {"ticket-for", [&](const std::string& pid) { return socket.duplicate_for_pid(std::stoi(pid)).to_text(); }},
        {"redeem",
         [&](const std::string& ticket) {
             socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(ticket));
             return std::string("done");
         }},
    });
}

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

/// args: directory. Makes an unnamed segment, and says what it is listed as.
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

namespace {

struct answer {
    int code = -1;
    std::string out;
    std::string err;

    /// Throws, and so fails the test, if it is not exactly one JSON document.
    boost::property_tree::ptree json() const
    {
        std::istringstream text(out);
        boost::property_tree::ptree document;
        boost::property_tree::read_json(text, document);
        return document;
    }
};

/// A nameless file that a child writes to and the test reads afterwards: unlike a pipe it never fills up.
class captured {
public:
    captured() : file_(::memfd_create("captured", MFD_CLOEXEC)) { REQUIRE(file_ >= 0); }
    captured(const captured&) = delete;
    ~captured() { ::close(file_); }

    int native_handle() const { return file_; }

    std::string text() const
    {
        std::ifstream file("/proc/self/fd/" + std::to_string(file_));
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    int file_;
};

answer run(std::vector<std::string> words)
{
    captured out;
    captured err;
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out.native_handle(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.native_handle(), STDERR_FILENO);
    pid_t child       = -1;
    const int failure = ::posix_spawnp(&child, pointers.front(), &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return {127, {}, {}};
    }

    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return {WEXITSTATUS(status), out.text(), err.text()};
}

/// One segment in a directory of its own, and the command looking at it.
class stage {
public:
    stage() { ss::segment::create(name_, options_of(directory())); }

    const std::string& name() const { return name_; }
    std::string directory() const { return scratch_.path(); }

    std::filesystem::path files_of(const std::string& name) const
    {
        return scratch_.path() / ("sharedsock." + std::to_string(::geteuid()) + '.' + name);
    }

    test::child_process attach() const
    {
        test::child_process child("attaches and does as told", {name_, directory()});
        child.wait_for("attached");
        return child;
    }

    answer command(std::vector<std::string> words) const
    {
        words.insert(words.begin(), SHAREDSOCK_COMMAND_PATH);
        words.push_back("--directory=" + directory());
        return run(std::move(words));
    }

private:
    test::scratch_directory scratch_;
    std::string name_ = test::unique_name();
};

/// A stage with a listener that two processes hold: the first owns its events, the second stands by.
class busy_stage : public stage {
public:
    busy_stage() : first(attach()), second(attach())
    {
        port = first.ask("listen");
        REQUIRE(second.ask("redeem " + first.ask("ticket-for " + std::to_string(second.pid()))) == "done");
        REQUIRE(first.ask("publish http") == "done");
        REQUIRE(first.ask("own") == "done");
        REQUIRE(second.ask("stand-by") == "done");
    }

    void kill_first()
    {
        first.kill(SIGKILL);
        REQUIRE(first.wait() == -SIGKILL);
    }

    test::child_process first;
    test::child_process second;
    std::string port;
};

/// All that the files of a segment say of it: what stands in them, their sizes, pages and times of change.
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

/// A segment's memory, to write wrong bytes into.
class memory_of {
public:
    memory_of(const std::string& name, const std::string& directory)
    {
        ss::error_code ec;
        file_ = detail::segment_file::open(name, options_of(directory), ec);
        REQUIRE_FALSE(ec);
        bytes = detail::tables(file_->base(), file_->plan());
    }

    detail::tables bytes;

private:
    std::unique_ptr<detail::segment_file> file_;
};

struct seeded_damage {
    std::string told; // what the check says of it
    std::function<void(detail::tables&)> sow;
};

// The stage has socket 0, held through handles 0 and 1 by the processes 0 and 1 (the ticket for 1 became its handle).
const std::vector<seeded_damage>& damages()
{
    using namespace detail;
    static const std::vector<seeded_damage> all{
        {"is live, but nobody holds it", [](tables& bytes) { bytes.socket(0)->first_handle.store(0); }},
        {"for a second time", [](tables& bytes) { bytes.handle(0)->next.store(bytes.socket(0)->first_handle.load()); }},
        {"leads to handle 4000000", [](tables& bytes) { bytes.socket(0)->first_handle.store(4'000'001); }},
        {"which is not open", [](tables& bytes) { bytes.socket(0)->first_handle.store(8); }},
        {"is missing in the list",
         [](tables& bytes) {
             socket_slot& slot = *bytes.socket(0);
             slot.first_handle.store(bytes.handle(slot.first_handle.load() - 1)->next.load());
         }},
        {"refers to socket 9999, which does not exist", [](tables& bytes) { bytes.handle(0)->socket.store(9999); }},
        {"is of process 0.77", [](tables& bytes) { bytes.handle(0)->process_generation.store(77); }},
        {"which is gone",
         [](tables& bytes) {
             bytes.socket(0)->life.store(slot_life{1, no_index, slot_state::free}.encode());
         }},
        {"is free, but its list", [](tables& bytes) { bytes.socket(3)->first_handle.store(1); }},
        {"is free, but somebody owns its events",
         [](tables& bytes) { bytes.socket(3)->registration.store(registration_word{}.taken_over(0, 1).encode()); }},
        {"is in state 9, which does not exist", [](tables& bytes) { bytes.socket(3)->life.store(0x900); }},
        {"owned by process index 5, where nobody is attached",
         [](tables& bytes) { bytes.socket(0)->registration.store(registration_word{}.taken_over(5, 1).encode()); }},
        {"beyond the table",
         [](tables& bytes) { bytes.socket(0)->registration.store(registration_word{}.taken_over(9000, 1).encode()); }},
        {"is being delivered by process index 7",
         [](tables& bytes) {
             registration_word word = load(bytes.socket(0)->registration);
             word.delivering        = 7;
             bytes.socket(0)->registration.store(word.encode());
         }},
        {"armed for events that nobody asked for",
         [](tables& bytes) { bytes.socket(0)->registration.store(load(bytes.socket(0)->registration).encode() | 1); }},
        {"a registration that was never made", [](tables& bytes) { bytes.socket(0)->record.store(std::uint64_t{500} << 40); }},
        {"the lock of socket 0.0 is held by process index 11", [](tables& bytes) { bytes.socket(0)->lock.store(12); }},
        {"the lock of the name table is held by", [](tables& bytes) { bytes.header->names_lock.store(13); }},
        {"which never existed", [](tables& bytes) { bytes.names[0].socket = 7000; }},
        {"is no text of 1 to 63 bytes", [](tables& bytes) { std::fill_n(bytes.names[0].name, name_size, 'x'); }},
        {"is published a second time",
         [](tables& bytes) {
             bytes.names[1].socket            = bytes.names[0].socket;
             bytes.names[1].socket_generation = bytes.names[0].socket_generation;
             std::copy_n(bytes.names[0].name, name_size, bytes.names[1].name);
         }},
    };
    return all;
}

} // namespace

// --- looking ----------------------------------------------------------------------------------------------------------

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

TEST_CASE("show tells of processes, addresses, owners, those who stand by and names", "[command]")
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

TEST_CASE("who agrees with ss about who holds a listening port", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"who", stage.port});
    REQUIRE(told.code == 0);
    const auto holders = find_holders(told.out, std::regex(R"(pid (\d+) \([0-9.]+\), descriptor (\d+))"));
    CHECK(holders.size() == 2);
    CHECK_THAT(told.out, test::contains("127.0.0.1:" + stage.port + " (tcp, listening)"));

    const answer judge = run({"ss", "-H", "-ltnp", "sport = :" + stage.port});
    if (judge.code == 127) {
        WARN("ss (iproute2) is not installed: nobody to agree with");
        return;
    }
    CHECK(holders == find_holders(judge.out, std::regex(R"(pid=(\d+),fd=(\d+))")));
}

TEST_CASE("who finds a published name, its owner and who is next, also within one segment", "[command]")
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

TEST_CASE("who finds an AF_UNIX listener by its path", "[command]")
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

TEST_CASE("who ends with 1 when there is none, in words and in JSON", "[command]")
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

TEST_CASE("a name that is not text does no harm to a terminal or to JSON", "[command]")
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

// --- checking and cleaning --------------------------------------------------------------------------------------------

TEST_CASE("a live segment is clean", "[command]")
{
    busy_stage stage;
    const answer told = stage.command({"check", stage.name()});
    CHECK(told.code == 0);
    CHECK(told.out == "segment " + stage.name() + " is sound\n");
    CHECK_FALSE(stage.command({"check", stage.name(), "--json"}).json().get<bool>("damaged"));
}

TEST_CASE("a segment that changes all the time is clean, and is listed and shown", "[command]")
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

TEST_CASE("what a killed process has left is not swept yet, which is no damage, and is gone after a sweep", "[command]")
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
    CHECK_THAT(stage.command({"sweep", "--all"}).out, test::contains("nobody to sweep"));
}

TEST_CASE("what dead members of an unnamed segment have left goes with the next sweep of all, and a live one stays", "[command]")
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
        CHECK(stage.command({"show", stage.name()}).code == 0); // whatever the bytes are
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
        CHECK(stage.first.ask("own") == "done"); // both have their handles
        CHECK(stage.second.ask("own") == "done");
        CHECK(stage.first.ask("stand-by") == "done");
        CHECK_THAT(stage.command({"who", stage.port}).out,
                   test::contains("pid " + std::to_string(stage.second.pid()) + " (1.1): accept"));
        CHECK(memory.bytes.header->damages.load() == 0); // and saw nothing of it
    }
}

TEST_CASE("check --repair ends what nobody could ever end, and leaves to the living what is theirs", "[command]")
{
    using namespace detail;
    busy_stage stage;
    memory_of memory(stage.name(), stage.directory());
    tables& bytes = memory.bytes;
    bytes.handle(5)->life.store(handle_life{0, 9, handle_state::held}.encode()); // leaked: nobody is process 9
    bytes.handle(6)->life.store(handle_life{0, 9, handle_state::claimed}.encode());
    bytes.handle(7)->life.store(0x700);
    bytes.socket(4)->life.store(slot_life{0, 9, slot_state::building}.encode());
    bytes.process(0)->handles.store(0); // its death would leave its handle for ever
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

TEST_CASE("check --repair may run again and again beside processes that are never still, and does them no harm", "[command]")
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
            damages()[static_cast<std::size_t>(round) % 5]; // in the list of socket 0, which they do not touch
        INFO(each.told);
        each.sow(memory.bytes);
        const answer told = stage.command({"check", stage.name(), "--repair"});
        INFO(told.out << told.err);
        REQUIRE(told.code == 0);
        REQUIRE(stage.command({"check", stage.name()}).out == "segment " + stage.name() + " is sound\n");
    }
    for (test::child_process& child : children) {
        child.close_input();
        CHECK(child.wait() == 0); // no call of theirs failed
    }
    CHECK(stage.first.ask("own") == "done");
    CHECK(memory.bytes.header->damages.load() == 0);
}

TEST_CASE("a damaged header cannot be mended, and the command says so and leaves it", "[command]")
{
    busy_stage stage;
    memory_of(stage.name(), stage.directory()).bytes.header->capacity.sockets += 1;
    const answer told = stage.command({"check", stage.name(), "--repair"});
    CHECK(told.code == 1);
    CHECK_THAT(told.out, test::contains("its header contradicts itself"));
}

TEST_CASE("check tells damage in a copy of a segment, where nobody lives", "[command]")
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

TEST_CASE("whatever bytes a segment has, check and show end and say so", "[command]")
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

TEST_CASE("rm refuses a segment that is in use, and removes it when nobody is left or by force", "[command]")
{
    busy_stage stage;
    const answer refused = stage.command({"rm", stage.name()});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, test::contains("is in use"));

    SECTION("nobody is left")
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

// --- the command line ---------------------------------------------------------------------------------------------------

TEST_CASE("what the command line cannot mean ends with 2 and one sentence on stderr", "[command]")
{
    stage stage;
    for (const auto& words : {std::vector<std::string>{"dance"},
                              {},
                              {"show"},
                              {"list", "too", "much"},
                              {"list", "--force"},
                              {"show", "a", "--colour"},
                              {"show", "no/name"},
                              {"sweep"},
                              {"sweep", "a", "--all"},
                              {"list", "--all=yes"}}) {
        INFO((words.empty() ? "nothing" : words.back()));
        const answer told = stage.command(words);
        CHECK(told.code == 2);
        CHECK(told.out.empty());
        CHECK(std::count(told.err.begin(), told.err.end(), '\n') == 1);
        CHECK(told.err.starts_with("sharedsock: "));
    }
}

TEST_CASE("with --json, a failure is a document as well", "[command]")
{
    stage stage;
    const answer told = stage.command({"show", "nobody", "--json"});
    CHECK(told.code == 1);
    CHECK(told.json().get<int>("exit_code") == 1);
    CHECK_THAT(told.json().get<std::string>("error"), test::contains("there is no segment 'nobody'"));
}

TEST_CASE("a directory that cannot be read ends with 3", "[command]")
{
    const answer told = run({SHAREDSOCK_COMMAND_PATH, "list", "--directory", "/nowhere"});
    CHECK(told.code == 3);
    CHECK_THAT(told.err, test::contains("'/nowhere' cannot be read"));
}

TEST_CASE("help and version are told, for all and for each verb", "[command]")
{
    const answer help = run({SHAREDSOCK_COMMAND_PATH, "--help"});
    CHECK(help.code == 0);
    for (const char* verb : {"list", "show", "who", "check", "sweep", "rm"}) {
        CHECK_THAT(help.out, test::contains(std::string("\n  ") + verb + ' '));
        const answer one = run({SHAREDSOCK_COMMAND_PATH, verb, "--help"});
        CHECK(one.code == 0);
        CHECK_THAT(one.out, test::contains(std::string("usage: sharedsock ") + verb));
    }
    CHECK_THAT(help.out, test::contains("Exit codes"));
    CHECK(std::regex_search(run({SHAREDSOCK_COMMAND_PATH, "--version"}).out,
                            std::regex("^sharedsock [0-9.]+, segment layout [0-9]+")));
    CHECK_NOTHROW(run({SHAREDSOCK_COMMAND_PATH, "--version", "--json"}).json());
}
