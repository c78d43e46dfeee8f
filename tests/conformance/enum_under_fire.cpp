// ENUM-2 and ENUM-3 with a hundred thousand events, receivers in several processes, and registrations that move all the time.
//
// X sends in bursts and waits until every byte of a burst has been answered: so a process that sleeps over data sleeps for ever,
// and no later byte wakes it. The process that receives a byte answers with one.
#include "attach/handle.hpp"
#include "conformance/collecting_steps.hpp"
#include "layout/event_record.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace {

using ss::network_event;

constexpr auto local_registration = network_event::read | network_event::close;

// Receives one byte, which need not be there, and answers it.
void receive_and_answer(ss::shared_socket& socket)
{
    std::byte room[1];
    ss::error_code ec;
    if (socket.receive(room, MSG_DONTWAIT, ec) == 0) return;
    while (socket.send(room, MSG_DONTWAIT, ec) == 0 && ec == std::errc::operation_would_block) {
        pollfd writable{socket.native_handle(), POLLOUT, 0};
        ::poll(&writable, 1, -1);
    }
}

// A thread that waits for its event object, collects, and receives one byte for each READ. Meanwhile the process registers
// through a handle of its own, whenever it is told to.
class collector {
public:
    collector(const ss::segment& segment, const std::string& ticket)
        : socket_(ss::shared_socket::redeem(segment, ss::ticket::from_text(ticket))),
          registers_(ss::shared_socket::redeem(segment, socket_.duplicate(segment.self()))),
          self_(segment.self())
    {
        loop_ = std::thread([this] { run(); });
    }

    void register_anew() { registers_.event_select(ready_, local_registration); }

    /// How many READs it has collected; "broken" if a record was ever left without a signal.
    std::string end()
    {
        ending_ = true;
        ready_.set();
        loop_.join();
        return broken_ ? "broken" : std::to_string(reads_);
    }

private:
    void run()
    {
        for (;;) {
            ready_.wait(); // for ever: X notices
            if (ending_) return;
            const ss::network_events happened = socket_.enum_network_events(ready_);
            if (recorded() && !ready_.wait(test::patience)) broken_ = true;
            if (!happened.has(network_event::read)) continue;
            ++reads_;
            receive_and_answer(socket_);
        }
    }

    // Whether there is a record of this process's registration: then the event object is signalled, or will be by the process
    // that records.
    bool recorded() const
    {
        const ss::detail::socket_slot& slot = socket_.impl()->slot();
        const auto word                     = ss::detail::load(slot.registration);
        return word.owner == self_.index && ss::detail::load_record(slot.record).at(word.epoch).events != 0;
    }

    ss::shared_socket socket_;
    ss::shared_socket registers_;
    const ss::process_id self_;
    ss::event_object ready_;
    std::atomic<bool> ending_{false};
    int reads_   = 0;     // of the loop
    bool broken_ = false; // of the loop
    std::thread loop_;
};

// X: the peers of one or several connections, which send bursts and wait for the answers to all of it.
class bombardment {
public:
    void send_one(test::plain_socket& x)
    {
        x.send("x");
        for (auto& [peer, count] : unanswered_)
            if (peer == &x) {
                ++count;
                return;
            }
        unanswered_.emplace_back(&x, 1);
    }
    void wait_for_answers()
    {
        for (auto& [peer, count] : unanswered_)
            REQUIRE(peer->receive(count).size() == count); // `receive` throws after `patience`
        unanswered_.clear();
    }

private:
    std::vector<std::pair<test::plain_socket*, std::size_t>> unanswered_;
};

// A few bytes or a thousand: bursts of all orders of magnitude.
int burst_size(std::minstd_rand& random, int most) { return std::min(most, 1 << random() % 11); }

void do_not_gather(const test::plain_socket& x)
{
    const int on = 1;
    REQUIRE(::setsockopt(x.descriptor(), IPPROTO_TCP, 1, &on, sizeof on) == 0); // TCP_NODELAY
}

constexpr int bytes_under_fire = 100'000;

} // namespace

SHAREDSOCK_CHILD_ROLE("collects and answers")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    collector works(segment, role.hear().value());
    role.say("works");
    return role.serve({
        {"register", [&](const std::string&) { return works.register_anew(), "ok"; }},
        {"end", [&](const std::string&) { return works.end(); }},
    });
}

SHAREDSOCK_CHILD_ROLE("receives without a registration")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));
    role.say("works");
    for (;;) {
        pollfd waiting{socket.native_handle(), POLLIN | POLLRDHUP, 0};
        ::poll(&waiting, 1, -1);
        if ((waiting.revents & POLLRDHUP) != 0) break;
        receive_and_answer(socket);
    }
    role.say("end");
    return 0;
}

TEST_CASE("copying, clearing and resetting are one step: a thread that waits, collects and receives never sleeps over data",
          "[ENUM-2]")
{
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    test::plain_socket x(std::exchange(s.peer, -1));
    do_not_gather(x);
    test::child_process a("collects and answers", {segment.name()});
    test::hand_to(a, segment, s.socket, "works");
    REQUIRE(a.ask("register") == "ok");

    bombardment fire;
    std::minstd_rand random(1);
    for (int left = bytes_under_fire; left > 0;) {
        const int size = burst_size(random, left);
        for (int i = 0; i < size; ++i)
            fire.send_one(x);
        fire.wait_for_answers();
        left -= size;
    }
    CHECK(std::stoi(a.ask("end")) >= bytes_under_fire); // one for each byte at least: surplus ones are allowed (EVT-6)
}

TEST_CASE("no wake-up is lost while processes take the events from each other and others receive", "[ENUM-3][G4]")
{
    test::scratch_segment segment;
    test::connection s(segment, AF_INET);
    s.socket.set_blocking(false);
    test::plain_socket x(std::exchange(s.peer, -1));
    do_not_gather(x);
    std::vector<test::child_process> collectors;
    for (int i = 0; i < 3; ++i) {
        collectors.emplace_back("collects and answers", std::vector{segment.name()});
        test::hand_to(collectors.back(), segment, s.socket, "works");
    }
    test::child_process unregistered("receives without a registration", {segment.name()});
    test::hand_to(unregistered, segment, s.socket, "works");

    bombardment fire;
    std::minstd_rand random(1);
    for (int left = bytes_under_fire; left > 0;) {
        const int size = burst_size(random, left);
        // Some take over from the last, some register anew, some before and some after the bytes.
        const int moved_at = static_cast<int>(random() % (static_cast<unsigned>(size) + 1));
        for (int i = 0; i <= size; ++i) {
            if (i == moved_at) REQUIRE(collectors[random() % collectors.size()].ask("register") == "ok");
            if (i < size) fire.send_one(x);
        }
        fire.wait_for_answers();
        left -= size;
    }
    int reads = 0;
    for (auto& one : collectors) {
        const std::string answer = one.ask("end");
        REQUIRE(answer != "broken");
        reads += std::stoi(answer);
    }
    CHECK(reads > 0);
    x.shutdown_send();
    CHECK(unregistered.line() == "end");
}

SHAREDSOCK_CHILD_ROLE("serves many connections with one event object")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    const auto port           = static_cast<std::uint16_t>(std::stoi(role.args.at(1)));
    const int count           = std::stoi(role.args.at(2));
    ss::event_object ready;
    std::vector<ss::shared_socket> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(ss::shared_socket::adopt(segment, test::plain_socket::connect(port).release()));
        all.back().event_select(ready, local_registration);
    }
    role.say("ready");
    // One socket for each wake-up, whichever it was for.
    for (std::size_t next = 0, open = all.size(); open > 0; ++next) {
        ready.wait();
        ss::shared_socket& socket = all[next % all.size()];
        if (!socket.is_open()) continue;
        const ss::network_events happened = socket.enum_network_events(ready);
        if (happened.has(network_event::read)) receive_and_answer(socket);
        if (!happened.has(network_event::close)) continue;
        socket.close();
        --open;
    }
    role.say(ready.is_set() ? "signalled for nothing" : "end");
    return 0;
}

TEST_CASE("no wake-up is lost when many sockets share an event object and a program collects from one at a time", "[ENUM-3]")
{
    constexpr int connections = 20;
    constexpr int bytes       = 10'000;
    test::scratch_segment segment;
    test::plain_listener listener;
    test::child_process a("serves many connections with one event object",
                          {segment.name(), std::to_string(listener.port()), std::to_string(connections)});
    std::vector<test::plain_socket> peers;
    for (int i = 0; i < connections; ++i)
        peers.push_back(listener.accept());
    for (const auto& x : peers)
        do_not_gather(x);
    a.wait_for("ready");

    bombardment fire;
    std::minstd_rand random(1);
    for (int left = bytes; left > 0;) {
        const int size = burst_size(random, left);
        for (int i = 0; i < size; ++i)
            fire.send_one(peers[random() % peers.size()]);
        fire.wait_for_answers();
        left -= size;
    }
    peers.clear();
    CHECK(a.line() == "end");
}
