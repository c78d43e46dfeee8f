// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Many processes, any public operation, kills and stops, and a ledger that has to add up to the last byte. tests/soak.sh runs it
// for as long as one likes; the ordinary run is a few seconds. A seed makes two runs alike, not equal: the scheduler takes part.
#include "audit/inspection.hpp"
#include "base/unique_fd.hpp"
#include "soak/ledger.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"
#include "support/eventually.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

#ifndef SHAREDSOCK_SOAK_SETTLE_S
#define SHAREDSOCK_SOAK_SETTLE_S 30
#endif
constexpr std::chrono::seconds settle_limit{SHAREDSOCK_SOAK_SETTLE_S}; // a guard against hangs, no measure

class judge {
public:
    explicit judge(std::uint32_t seed) : random_(seed)
    {
        for (std::uint32_t i = 0; i < soak::connections; ++i) {
            int ends[2];
            REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
            held_.push_back(ss::shared_socket::adopt(segment_, ends[0]));
            peers_.push_back(ends[1]);
        }
        held_.push_back(ss::shared_socket::listen(segment_, ss::socket_address::loopback(0)));
        held_.back().set_blocking(false);
        for (std::uint32_t i = 0; i < soak::sockets; ++i) {
            ledger_->socket_id[i] = held_[i].id();
            segment_.publish("s" + std::to_string(i), held_[i]);
        }
        serving_ = segment_.serve_in_thread();
        for (std::uint32_t w = 0; w < soak::workers; ++w)
            staff_.push_back(hire(w));
    }
    ~judge()
    {
        for (const int peer : peers_)
            ::close(peer);
        staff_.clear();
        serving_.reset();
        held_.clear();
        segment_ = {};
        ss::error_code ignored;
        ss::segment::remove(name_, options_, true, ignored);
    }

    void run(clock_type::duration how_long)
    {
        const auto end = clock_type::now() + how_long;
        auto tell      = clock_type::now() + 60s;
        while (clock_type::now() < end && findings_.empty()) {
            for (int disturbance = 0; disturbance < 25 && findings_.empty(); ++disturbance)
                disturb();
            keep_quiet();
            if (clock_type::now() > tell) {
                say("so far");
                tell += 60s;
            }
        }
        if (findings_.empty()) finish();
    }

    void say(const char* what)
    {
        std::uint64_t operations = 0, refused = 0, made = 0, received = 0;
        for (const auto& desk : ledger_->desks) {
            operations += desk.operations;
            refused += desk.refused;
            made += desk.made;
        }
        for (std::uint32_t i = 0; i < soak::connections; ++i)
            received += ledger_->received[i];
        std::printf(
            "%s: %llu operations (%llu refused), %llu sockets made, %llu of %llu bytes taken, %llu with the killed, %llu of %llu "
            "connections, %llu kills, %llu stops, %llu quiet periods\n",
            what, (unsigned long long)operations, (unsigned long long)refused, (unsigned long long)made,
            (unsigned long long)received, (unsigned long long)total_sent_, (unsigned long long)lost_,
            (unsigned long long)ledger_->received[soak::listener].load(), (unsigned long long)sent_[soak::listener],
            (unsigned long long)kills_, (unsigned long long)stops_, (unsigned long long)quiets_);
        std::fflush(stdout);
    }

    const std::vector<std::string>& findings() const { return findings_; }
    std::uint64_t kills() const { return kills_; }
    std::uint64_t quiets() const { return quiets_; }

private:
    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    void find(const std::string& what) { findings_.push_back(what); }

    std::unique_ptr<test::child_process> hire(std::uint32_t w)
    {
        auto one = std::make_unique<test::child_process>(
            "does anything with any socket",
            std::vector<std::string>{name_, options_.directory, std::to_string(w), std::to_string(random_()), ledger_path_});
        one->wait_for("works");
        return one;
    }

    // --- the random part -------------------------------------------------------------------------------------------------

    void disturb()
    {
        for (auto count = any(40); count > 0; --count)
            send(any(soak::sockets));
        const std::uint32_t w = any(soak::workers);
        switch (any(6)) {
        case 0:
        case 1:
            replace(w);
            break;
        case 2:
            staff_[w]->stop();
            ++stops_;
            for (auto count = any(40); count > 0; --count)
                send(any(soak::sockets));
            if (any(4) == 0)
                replace(w);
            else
                staff_[w]->resume();
            break;
        default:
            ::poll(nullptr, 0, static_cast<int>(any(10))); // leaves them time to come to different places; orders nothing
        }
    }

    void send(std::uint32_t i)
    {
        if (i == soak::listener) {
            connect_to(held_[i].local_address());
            return;
        }
        char bytes[200];
        const ssize_t size = ::send(peers_[i], bytes, 1 + any(sizeof bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0) {
            sent_[i] += static_cast<std::uint64_t>(size);
            total_sent_ += static_cast<std::uint64_t>(size);
        }
    }

    // Of connections at most so many wait to be accepted; the oldest clients leave, as a soak makes more than there are
    // descriptors.
    void connect_to(const ss::socket_address& listener)
    {
        constexpr std::size_t waiting = 64;
        ss::detail::unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (sent_[soak::listener] >= ledger_->received[soak::listener] + doubt_[soak::listener] + waiting) return;
        if (::connect(client.get(), listener.data(), listener.size()) != 0 && errno != EINPROGRESS) return;
        ++sent_[soak::listener];
        clients_.push_back(std::move(client));
        if (clients_.size() > 2 * waiting) clients_.pop_front();
    }

    void replace(std::uint32_t w)
    {
        staff_[w]->kill(SIGKILL);
        if (const int result = staff_[w]->wait(); result != -SIGKILL) {
            find("worker " + std::to_string(w) + " had ended with " + std::to_string(result) + ": " + ledger_->desks[w].finding);
            return;
        }
        ++kills_;
        if (const std::uint32_t in_hand = ledger_->desks[w].in_hand.load())
            doubt_[in_hand - 1] += in_hand - 1 == soak::listener ? 1 : soak::chunk;
        staff_[w] = hire(w);
    }

    // --- when all is quiet -----------------------------------------------------------------------------------------------

    std::uint64_t waiting(std::uint32_t i) const
    {
        int bytes = 0;
        ::ioctl(held_[i].native_handle(), FIONREAD, &bytes);
        return static_cast<std::uint64_t>(bytes);
    }

    // Nothing more comes; the owner of a socket's events takes the bytes that are there.
    bool everything_taken() const
    {
        for (std::uint32_t i = 0; i < soak::connections; ++i)
            if (held_[i].registration() && waiting(i) != 0) return false;
        return true;
    }

    void keep_quiet()
    {
        const std::uint32_t round = ++ledger_->quiet;
        ++quiets_;
        const auto settled = [&] {
            for (const auto& desk : ledger_->desks)
                if (desk.settled != round) return false;
            return true;
        };
        if (!test::eventually(settled, settle_limit)) return report_who_is_missing(round);
        segment_.sweep();
        for (const ss::waiting_ticket& ours : segment_.waiting_tickets())
            segment_.revoke(ours.value);
        if (!test::eventually([&] { return everything_taken(); }, settle_limit)) {
            for (std::uint32_t i = 0; i < soak::connections; ++i)
                if (held_[i].registration() && waiting(i) != 0)
                    find("socket " + std::to_string(i) + " has an owner and " + std::to_string(waiting(i)) +
                         " bytes that it was not told of");
            return;
        }
        check_bytes();
        check_handles();
        check_segment();
        ++ledger_->quiet;
    }

    void report_who_is_missing(std::uint32_t round)
    {
        for (std::uint32_t w = 0; w < soak::workers; ++w)
            if (ledger_->desks[w].settled != round)
                find("worker " + std::to_string(w) + " does not come to rest: " + ledger_->desks[w].finding);
    }

    // Each byte that was sent is taken, waits, or was in the hands of a worker that was killed.
    void check_bytes()
    {
        for (std::uint32_t i = 0; i < soak::connections; ++i) {
            const std::uint64_t known   = ledger_->received[i] + waiting(i) + gone_[i];
            const std::uint64_t missing = sent_[i] - known;
            if (known > sent_[i] || missing > doubt_[i])
                find("socket " + std::to_string(i) + ": of " + std::to_string(sent_[i]) + " bytes " + std::to_string(known) +
                     " are accounted for, and " + std::to_string(doubt_[i]) + " may have been with the killed");
            gone_[i] += missing;
            lost_ += missing;
            doubt_[i] = 0;
        }
    }

    // A quiet worker sweeps the one that was killed last, too, and may still be at it.
    void check_handles()
    {
        for (std::uint32_t i = 0; i < soak::sockets; ++i) {
            std::size_t expected = 1; // the judge's
            for (const auto& desk : ledger_->desks)
                expected += desk.handles[i];
            std::string who;
            const auto as_expected = [&] {
                segment_.sweep();
                std::size_t handles = 0;
                who.clear();
                for (const ss::handle_info& one : held_[i].handles()) {
                    if (one.ticket) continue;
                    ++handles;
                    who += ' ' + to_string(one.process) + (segment_.alive(one.process) ? "" : " (dead)");
                }
                return handles == expected;
            };
            if (!test::eventually(as_expected, settle_limit))
                find("socket " + std::to_string(i) + " has other than " + std::to_string(expected) + " handles:" + who);
        }
    }

    void check_segment()
    {
        ss::error_code ec;
        std::vector<ss::command::finding> left;
        const auto sound = [&] {
            left = ss::command::inspect(name_, options_, ec);
            return !ec && left.empty();
        };
        if (test::eventually(sound, settle_limit)) return;
        for (const auto& each : left)
            find(each.text);
        if (ec) find("the segment cannot be inspected: " + ec.message());
    }

    // All workers end; nothing may be left, not even the bytes sent last.
    void finish()
    {
        ledger_->end = true;
        for (std::uint32_t w = 0; w < soak::workers; ++w) {
            if (const std::string last = staff_[w]->line(); last != "nothing is left open")
                find("worker " + std::to_string(w) + ": " + last);
            if (const int result = staff_[w]->wait(); result != 0)
                find("worker " + std::to_string(w) + " ended with " + std::to_string(result) + ": " + ledger_->desks[w].finding);
        }
        ss::error_code ec;
        for (std::uint32_t i = 0; i < soak::connections; ++i) {
            std::byte room[4096];
            while (const std::size_t size = held_[i].receive(room, MSG_DONTWAIT, ec))
                ledger_->received[i] += size;
        }
        check_bytes();
        while (held_[soak::listener].accept(ec).is_open())
            ++ledger_->received[soak::listener];
        const std::uint64_t accepted = ledger_->received[soak::listener];
        if (accepted > sent_[soak::listener] || sent_[soak::listener] - accepted > doubt_[soak::listener])
            find(std::to_string(sent_[soak::listener]) + " connections were made and " + std::to_string(accepted) +
                 " accepted, then " + ec.message());
        clients_.clear();
        for (auto& count : ledger_->desks)
            for (auto& handles : count.handles)
                handles = 0;
        for (const ss::waiting_ticket& own : segment_.waiting_tickets())
            segment_.revoke(own.value);
        segment_.poll();
        segment_.sweep();
        check_handles();
        check_segment();
        for (ss::shared_socket& one : held_)
            if (one.handles().size() != 1) find("a ticket is left");
    }

    std::mt19937 random_;
    test::scratch_directory directory_;
    const std::string name_ = test::unique_name();
    const ss::segment_options options_{.sockets = 512, .processes = 32, .directory = directory_.path(), .patience = 200ms};
    const std::string ledger_path_ = directory_.path() / "ledger";
    soak::shared_ledger ledger_{ledger_path_};
    ss::segment segment_ = ss::segment::create(name_, options_);
    std::vector<ss::shared_socket> held_;
    std::vector<int> peers_;
    std::deque<ss::detail::unique_fd> clients_;
    std::shared_ptr<void> serving_;
    std::vector<std::unique_ptr<test::child_process>> staff_;
    std::uint64_t sent_[soak::sockets]{}, doubt_[soak::sockets]{}, gone_[soak::sockets]{}, total_sent_ = 0, lost_ = 0;
    std::uint64_t kills_ = 0, stops_ = 0, quiets_ = 0;
    std::vector<std::string> findings_;
};

// A worker may leave the judge a descriptor with every ticket, until the next quiet period.
void make_room_for_descriptors()
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 8192));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

std::uint32_t from_environment(const char* name, std::uint32_t otherwise)
{
    const char* const text = std::getenv(name);
    return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : otherwise;
}

} // namespace

TEST_CASE("processes that do anything with any socket, and are killed and stopped at random, lose and leave nothing",
          "[soak][fault-20][fault-78][G4][G6][G7]")
{
    const std::uint32_t seed = from_environment("SHAREDSOCK_SOAK_SEED", std::random_device()());
    const auto duration      = std::chrono::seconds(from_environment("SHAREDSOCK_SOAK_SECONDS", 12));
    INFO("SHAREDSOCK_SOAK_SEED=" << seed);
    std::printf("seed %u\n", seed);
    make_room_for_descriptors();
    const std::size_t before = test::open_descriptors();
    {
        judge soak(seed);
        soak.run(duration);
        soak.say("in all");
        for (const std::string& finding : soak.findings())
            FAIL_CHECK(finding);
        CHECK(soak.kills() > 0);
        CHECK(soak.quiets() > 0);
    }
    CHECK(test::open_descriptors() == before);
}
