// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The stepper kills in the core, below files and descriptors. Here a process is killed before and after each system call of
// the public operations, with all that they do to files, mailboxes and sockets.
#include "command/inspection.hpp"
#include "support/carry_pattern.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/ptrace.h>
#include <sys/wait.h>

namespace fs = std::filesystem;
namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

constexpr auto all_events = ss::network_event::read | ss::network_event::write | ss::network_event::close;

// Of a carry, which is its tag too.
constexpr std::size_t in_letter = 1'000;
constexpr std::size_t in_memory = 100'000;

ss::segment_options options_in(const std::string& directory)
{
    ss::segment_options options;
    options.sockets   = 16;
    options.processes = 8;
    options.directory = directory;
    return options;
}

// What the process that is killed has, and what it does. `prepare` is not stepped, `act` is.
struct victim {
    explicit victim(const std::string& directory, std::string text) : options(options_in(directory)), ticket(std::move(text)) {}

    void attach() { segment = ss::segment::open("home", options); }
    void hold() { attach(), redeem(ss::ticket::from_text(ticket)); }
    void redeem(const ss::ticket& one) { socket = ss::shared_socket::redeem(segment, one); }
    void own() { hold(), socket.event_select(event, all_events); }
    void listen() { attach(), listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0)); }
    void hand_over(ss::process_id target, std::size_t count)
    {
        ss::hand_over(std::move(socket), target, {test::carry_pattern(count, count), count});
    }
    ss::process_id survivor() const { return *segment.find_process(::getppid()); }
    void offer() { hold(), made = socket.duplicate(segment.self()); }

    const ss::segment_options options;
    const std::string ticket;
    ss::segment segment;
    ss::shared_socket socket, listener, more;
    ss::event_object event;
    ss::ticket made;
    std::optional<test::connection> pair;
};

struct step {
    std::function<void(victim&)> prepare;
    std::function<void(victim&)> act;
};

const std::map<std::string, step>& steps()
{
    using v = victim;
    static const std::map<std::string, step> all{
        {"create a segment", {[](v&) {}, [](v& of) { of.segment = ss::segment::create("other", of.options); }}},
        {"create an unnamed segment and detach", {[](v&) {}, [](v& of) {
             of.segment = ss::segment::create_unnamed(of.options);
             of.segment = {};
         }}},
        {"remove a segment", {[](v& of) { of.segment = ss::segment::create("other", of.options); },
                              [](v& of) { ss::segment::remove("other", of.options, true); }}},
        {"attach", {[](v&) {}, [](v& of) { of.attach(); }}},
        {"detach", {[](v& of) { of.own(); }, [](v& of) { of.socket = {}, of.segment = {}; }}},
        {"open a socket", {[](v& of) { of.attach(); }, [](v& of) { of.more = ss::shared_socket::open(of.segment, AF_INET, SOCK_STREAM); }}},
        {"listen", {[](v& of) { of.attach(); }, [](v& of) { of.listener = ss::shared_socket::listen(of.segment, ss::socket_address::loopback(0)); }}},
        {"connect and accept", {[](v& of) { of.listen(); }, [](v& of) {
             of.more = ss::shared_socket::open(of.segment, AF_INET, SOCK_STREAM);
             of.more.connect(of.listener.local_address());
             of.socket = of.listener.accept();
         }}},
        {"adopt", {[](v& of) { of.attach(); }, [](v& of) { of.pair.emplace(of.segment); }}},
        {"redeem", {[](v& of) { of.attach(); }, [](v& of) { of.redeem(ss::ticket::from_text(of.ticket)); }}},
        {"redeem what was delivered", {[](v& of) { of.offer(); }, [](v& of) { of.redeem(of.made); }}},
        {"duplicate for another", {[](v& of) { of.hold(); }, [](v& of) {
             of.made = of.socket.duplicate(*of.segment.find_process(::getppid()));
         }}},
        {"duplicate for a process to come", {[](v& of) { of.hold(); }, [](v& of) { of.made = of.socket.duplicate_for_pid(1); }}},
        {"hand over", {[](v& of) { of.own(); }, [](v& of) { of.hand_over(of.survivor(), in_letter); }}},
        {"hand over more than a letter holds", {[](v& of) { of.hold(); }, [](v& of) { of.hand_over(of.survivor(), in_memory); }}},
        {"receive a hand-over", {[](v& of) { of.hold(), of.hand_over(of.segment.self(), in_letter); }, [](v& of) {
             of.socket = std::move(ss::receive_hand_over(of.segment)->socket);
         }}},
        {"receive a hand-over from memory", {[](v& of) { of.hold(), of.hand_over(of.segment.self(), in_memory); }, [](v& of) {
             of.socket = std::move(ss::receive_hand_over(of.segment)->socket);
         }}},
        {"wait for hand-overs", {[](v& of) { of.attach(); }, [](v& of) {
             ss::hand_over_handle(of.segment);
             ss::receive_hand_over(of.segment);
         }}},
        {"revoke", {[](v& of) { of.offer(); }, [](v& of) { of.segment.revoke(of.made); }}},
        {"publish", {[](v& of) { of.hold(); }, [](v& of) { of.segment.publish("name", of.socket); }}},
        {"open by name", {[](v& of) { of.attach(); }, [](v& of) { of.socket = ss::shared_socket::open_published(of.segment, "home"); }}},
        {"register", {[](v& of) { of.hold(); }, [](v& of) { of.socket.event_select(of.event, all_events); }}},
        {"register again", {[](v& of) { of.own(); }, [](v& of) { of.socket.event_select(of.event, ss::network_event::read); }}},
        {"cancel", {[](v& of) { of.own(); }, [](v& of) { of.socket.cancel_registration(); }}},
        {"stand by", {[](v& of) { of.hold(); }, [](v& of) { of.socket.stand_by(of.event, all_events); }}},
        {"wait and collect", {[](v& of) { of.own(); }, [](v& of) {
             of.event.wait(1s);
             of.socket.enum_network_events(of.event);
         }}},
        {"send and receive", {[](v& of) { of.own(); }, [](v& of) {
             std::byte byte{};
             ss::error_code empty;
             of.socket.send("!");
             of.socket.receive(std::span(&byte, 1), 0, empty);
         }}},
        {"set options and mode", {[](v& of) { of.hold(); }, [](v& of) {
             of.socket.cancel_registration();
             of.socket.set_blocking(true);
             const int on = 1;
             ss::error_code ec;
             of.socket.set_option(SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on, ec);
         }}},
        {"close", {[](v& of) { of.own(); }, [](v& of) { of.socket.close(); }}},
    };
    return all;
}

} // namespace

/// args: operation, directory. Hears a ticket, prepares, and does the operation between two signals to itself.
SHAREDSOCK_CHILD_ROLE(does one operation)
{
    ::signal(SIGUSR1, SIG_IGN); // the tracer sees it all the same
    const step& one = steps().at(role.args.at(0));
    victim self(role.args.at(1), *role.hear());
    one.prepare(self);
    role.say("ready");
    role.hear();
    ::raise(SIGUSR1);
    one.act(self);
    ::raise(SIGUSR1);
    role.hear();
    return 0;
}

namespace {

// Runs the child to the nth entry to or exit from a system call of its operation and kills it there. False if there are fewer.
bool kill_at(test::child_process& child, int nth)
{
    const pid_t pid = child.pid();
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACESYSGOOD) != 0)
        throw std::system_error(errno, std::generic_category(), "ptrace");
    child.tell("go");
    int seen = 0;
    bool counting = false, reached = false;
    for (int status = 0; ::waitpid(pid, &status, __WALL) == pid;) {
        if (!WIFSTOPPED(status)) throw std::runtime_error("it ended by itself");
        int signal = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            reached = counting && ++seen == nth;
        } else if (WSTOPSIG(status) == SIGUSR1) {
            if (counting) break;
            counting = true;
        } else if (status >> 16 == 0) {
            signal = WSTOPSIG(status);
        }
        if (reached) break;
        ::ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
    }
    child.kill(SIGKILL);
    child.wait();
    return reached;
}

// The process that goes on, with a directory of its own: what is left in it was left by the victim.
struct survivor {
    survivor() : home(ss::segment::create("home", options)), pair(home), serving(home.serve_in_thread()) { home.publish("home", pair.socket); }

    ss::ticket ticket_for(const test::child_process& child) { return pair.socket.duplicate_for_pid(child.pid()); }

    // What a death has left is swept, the audit is clean, nothing is left, and the survivor goes on.
    void check()
    {
        // Whoever serves notices the death too, and one thread sweeps.
        CHECK(test::eventually([&] { return home.sweep(), home.processes().size() == 1; }));
        for (const ss::waiting_ticket& one : home.waiting_tickets()) home.revoke(one.value); // a ticket outlives its source
        while (const auto received = ss::receive_hand_over(home)) // what was handed over is whole
            CHECK(received->bytes == test::carry_pattern(received->tag, received->tag));
        CHECK(pair.socket.handles().size() == 1);
        ss::error_code ec;
        for (const auto& one : ss::command::inspect("home", options, ec)) FAIL_CHECK(one.text);
        CHECK_FALSE(ec);

        pair.socket.event_select(event, ss::network_event::read);
        CHECK(pair.socket.registration().value().owner == home.self());
        pair.say("?");
        CHECK(event.wait(10s));
        CHECK(pair.socket.enum_network_events(event).has(ss::network_event::read));
        std::byte bytes[64];
        CHECK(pair.socket.receive(bytes) > 0);
        while (::recv(pair.peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {} // what the victim may have sent
    }

    // Whoever comes next makes and removes its segment, and nothing is left then but what lives.
    void check_files()
    {
        ss::segment::open_or_create("other", options);
        ss::segment::remove("other", options);
        std::vector<std::string> left;
        for (const auto& one : fs::directory_iterator(files.path())) {
            const std::string name = one.path().filename();
            const auto unnamed     = name.find('@');
            if (unnamed != std::string::npos && ss::segment::remove(name.substr(unnamed), options)) continue;
            left.push_back(name);
        }
        CHECK(left == std::vector<std::string>{"sharedsock." + std::to_string(::geteuid()) + ".home"});
    }

    test::scratch_directory files;
    const ss::segment_options options = options_in(files.path());
    ss::segment home;
    test::connection pair;
    ss::event_object event;
    std::shared_ptr<void> serving;
};

} // namespace

TEST_CASE("whoever is killed before or after any system call of an operation leaves a sound segment, and takes nothing along",
          "[G7][fault-1][fault-3]")
{
    survivor here;
    int kills = 0;
    for (const auto& [name, one] : steps()) {
        int stops = 0;
        for (bool killed = true; killed;) {
            INFO(name << ", stop " << ++stops);
            test::child_process child("does one operation", {name, here.files.path()});
            const ss::ticket ticket = here.ticket_for(child);
            child.tell(ticket.to_text());
            child.wait_for("ready");
            killed = kill_at(child, stops);
            here.home.revoke(ticket); // if it was not redeemed
            here.check();
            here.check_files();
        }
        std::printf("%-36s %4d stops\n", name.c_str(), stops - 1);
        kills += stops;
    }
    std::printf("%zu operations, %d kills\n", steps().size(), kills);
}
