// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes hand connections to each other while some of them are killed at any moment. Each connection is counted.
#include "audit/inspection.hpp"
#include "process/shared_stream.hpp"
#include "support/deadline.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

constexpr int members             = 4;
constexpr int kills               = 40;
constexpr std::size_t at_first    = 40;
constexpr std::size_t each_time   = 4; // many die with each process that is killed
constexpr std::size_t connections = at_first + kills * each_time;

std::uint64_t number_of(ss::process_id who) { return std::uint64_t{who.generation} << 32 | who.index; }

// Between the test and its children. A process that takes a connection writes so afterwards, and one that gives it says to which
// process before.
struct storm_ledger {
    std::atomic<std::uint32_t> stops;
    std::atomic<std::uint32_t> taken, back; // for the report
    std::array<std::atomic<std::uint64_t>, connections> holder;
    std::array<std::atomic<std::uint64_t>, connections> given_to;
};

storm_ledger* map_ledger(const std::string& path)
{
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(storm_ledger)) != 0) return nullptr;
    void* const mapped = ::mmap(nullptr, sizeof(storm_ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    return mapped == MAP_FAILED ? nullptr : static_cast<storm_ledger*>(mapped);
}

class storm_member {
public:
    storm_member(const std::string& segment, storm_ledger& ledger)
        : segment_(ss::segment::open(segment)), ledger_(ledger), random_(static_cast<unsigned>(::getpid()))
    {}

    std::string id() const { return std::to_string(number_of(segment_.self())); }

    void run()
    {
        while (ledger_.stops == 0) {
            receive();
            if (held_.empty() || random_() % 4 == 0) continue;
            give();
        }
    }
    // Each connection that it holds hears one byte.
    void report()
    {
        receive();
        for (auto& [tag, socket] : held_)
            socket.send(std::as_bytes(std::span("h", 1)));
    }
    void receive()
    {
        for (;;) {
            if (const auto next = ss::peek_hand_over(segment_); next && random_() % 8 == 0) {
                ss::decline_hand_over(segment_, *next);
                continue;
            }
            auto got = ss::receive_hand_over(segment_);
            if (!got) return;
            ledger_.holder.at(got->tag) = number_of(segment_.self());
            if (got->bytes.size() != got->tag * 1'000) std::abort();
            held_[got->tag] = std::move(got->socket);
        }
    }

private:
    void give()
    {
        auto one                = std::next(held_.begin(), static_cast<std::ptrdiff_t>(random_() % held_.size()));
        const std::uint64_t tag = one->first;
        std::vector<ss::process_id> targets;
        for (const ss::process_info& each : segment_.processes())
            if (each.id != segment_.self() && each.id.index != 0) targets.push_back(each.id); // the test itself is no target
        if (targets.empty()) return;
        const ss::process_id target = targets[random_() % targets.size()];
        const std::vector<std::byte> bytes(tag * 1'000);
        ss::error_code ec;
        ledger_.given_to.at(tag) = number_of(target);
        ss::hand_over(std::move(one->second), target, {bytes, tag}, {.limit = std::chrono::milliseconds(random_() % 30)}, ec);
        if (ec) {
            ledger_.given_to.at(tag) = 0;
            ++ledger_.back;
            if (!one->second.is_open()) std::abort();
            return;
        }
        ++ledger_.taken;
        held_.erase(one);
    }

    ss::segment segment_;
    storm_ledger& ledger_;
    std::mt19937 random_;
    std::map<std::uint64_t, ss::shared_socket> held_;
};

// The first byte; none if the connection has ended or was reset.
std::string answer_of(test::plain_socket& peer)
{
    try {
        return peer.receive(1);
    } catch (const std::system_error& failed) {
        if (failed.code() != std::errc::connection_reset) throw;
        return "";
    }
}

} // namespace

/// args: name of a segment, path of the ledger. Says its id, then gives and takes until the ledger says stop; says "stopped"; when
/// it is told so, takes what has come and reports to each connection.
SHAREDSOCK_CHILD_ROLE("gives and takes in a storm")
{
    storm_ledger* const ledger = map_ledger(role.args.at(1));
    if (ledger == nullptr) return 1;
    storm_member member(role.args.at(0), *ledger);
    role.say(member.id());
    member.run();
    role.say("stopped");
    role.hear();
    member.report();
    role.say("reported");
    role.hear(); // it holds what it has until then
    return 0;
}

TEST_CASE("in a storm of hand-overs and kills each connection is in exactly one process, or died with one that was killed",
          "[G7][G13][fault-101]")
{
    test::scratch_segment segment({.sockets = 4 * connections, .processes = 16});
    test::scratch_directory files;
    const std::string path     = std::string(files.path()) + "/ledger";
    storm_ledger* const ledger = map_ledger(path);
    REQUIRE(ledger != nullptr);
    std::map<std::uint64_t, std::unique_ptr<test::child_process>> living;
    std::set<std::uint64_t> dead;
    const auto start = [&] {
        auto made =
            std::make_unique<test::child_process>("gives and takes in a storm", std::vector<std::string>{segment.name(), path});
        const std::uint64_t id = std::stoull(made->line());
        living[id]             = std::move(made);
    };
    for (int i = 0; i < members; ++i)
        start();

    std::vector<test::plain_socket> peers;
    const auto begin = [&](std::size_t count) {
        for (; count > 0; --count) {
            const std::uint64_t tag = peers.size();
            test::shared_stream made(segment);
            const std::vector<std::byte> bytes(tag * 1'000);
            ss::error_code ec = ss::errc::hand_over_declined;
            for (std::size_t turn = tag; ec == ss::errc::hand_over_declined; ++turn) {
                const std::uint64_t to = std::next(living.begin(), static_cast<std::ptrdiff_t>(turn % living.size()))->first;
                ledger->given_to.at(tag) = to;
                const ss::process_id target{static_cast<std::uint32_t>(to), static_cast<std::uint32_t>(to >> 32)};
                ss::hand_over(std::move(made.socket), target, {bytes, tag}, ec);
            }
            REQUIRE_FALSE(ec);
            peers.push_back(std::move(made.x));
        }
    };
    begin(at_first);
    std::mt19937 random(1);
    for (int i = 0; i < kills; ++i) {
        begin(each_time);
        const std::uint32_t before = ledger->taken;
        REQUIRE(test::eventually([&] { return ledger->taken != before; }));
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 5'000);
        while (std::chrono::steady_clock::now() < until) {
        }
        auto victim = std::next(living.begin(), static_cast<std::ptrdiff_t>(random() % living.size()));
        if (i % 8 == 7) { // one that hangs, and goes on
            victim->second->stop();
            std::this_thread::sleep_for(50ms);
            victim->second->resume();
            continue;
        }
        victim->second->kill(SIGKILL);
        victim->second->wait();
        dead.insert(victim->first);
        living.erase(victim);
        if (i % 2 == 0) segment->sweep();
        start();
    }
    ledger->stops = 1;
    for (auto& [id, one] : living)
        REQUIRE(one->line() == "stopped");
    for (auto& [id, one] : living) {
        one->tell("report");
        REQUIRE(one->line() == "reported");
    }
    std::size_t alive = 0, died = 0;
    for (std::size_t tag = 0; tag < connections; ++tag) {
        INFO("connection " << tag);
        if (answer_of(peers[tag]) != "h") {
            ++died;
            const std::uint64_t holder = ledger->holder[tag], target = ledger->given_to[tag];
            INFO("last holder " << holder << ", given to " << target);
            CHECK((dead.contains(holder) || dead.contains(target)));
            continue;
        }
        ++alive;
        CHECK(peers[tag].quiet()); // one holder alone
    }
    std::printf("%zu connections, %d kills and stops: %u taken, %u came back, %zu live, %zu died with a killed process\n",
                connections, kills, ledger->taken.load(), ledger->back.load(), alive, died);
    CHECK(alive + died == connections);
    segment->sweep();
    CHECK(test::records_in_use(segment) == alive);
    ss::error_code ec;
    for (const auto& one : ss::command::inspect(segment.name(), segment.options(), ec))
        FAIL_CHECK(one.text);
    for (auto& [id, one] : living) {
        one->tell("end");
        one->wait();
    }
    ::munmap(ledger, sizeof(storm_ledger));
}
