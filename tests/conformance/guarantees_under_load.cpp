// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README that only many moments can show: processes that run at the same time and ask nobody.
#include "conformance/shared_connection.hpp"
#include "handle.hpp"
#include "support/at_the_end.hpp"
#include "support/carry_pattern.hpp"
#include "support/eventually.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace ss = sharedsock;

namespace {

// --- a stream that several read in turns ------------------------------------------------------------------------------

// What they write down in memory that they share. Only who runs a handler writes, and that is one at a time, or the test fails.
struct stream_log {
    std::atomic<std::uint32_t> inside;   // handlers that run now
    std::atomic<std::uint32_t> overlaps; // that found another one running
    std::atomic<std::uint32_t> stale;    // that ran under an earlier registration than the one before
    std::atomic<std::uint32_t> wrong;    // bytes that were not the next of the stream
    std::atomic<std::uint32_t> epoch;
    std::atomic<std::uint64_t> received;
    std::atomic<std::uint32_t> turns; // how often the reader was another than the one before
    std::atomic<std::uint32_t> reader;
};

stream_log* map_log(const std::string& path)
{
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(stream_log)) != 0) throw std::system_error(errno, std::generic_category(), path);
    void* const memory = ::mmap(nullptr, sizeof(stream_log), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
    return static_cast<stream_log*>(memory);
}

// The byte of the stream at a place: no piece of it is like another.
char byte_at(std::uint64_t offset) { return static_cast<char>((offset * 2'654'435'761u) >> 17); }

// A child in a role that has said "ready", with a handle to `socket`; returns when it has said `expected`.
void hand_to(test::child_process& child, test::scratch_segment& segment, const ss::shared_socket& socket, const char* expected)
{
    child.wait_for("ready");
    child.tell(socket.duplicate(segment->find_process(child.pid()).value()).to_text());
    child.wait_for(expected);
}

} // namespace

SHAREDSOCK_CHILD_ROLE("takes the stream over and reads it in its handler")
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    stream_log& log           = *map_log(role.args.at(1));
    const int take_overs      = std::stoi(role.args.at(2));
    const test::plain_socket bell(::open(role.args.at(3).c_str(), O_WRONLY | O_CLOEXEC));
    role.say("ready");
    ss::shared_socket socket = ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value()));

    boost::asio::io_context context;
    const auto guard = boost::asio::make_work_guard(context);
    std::jthread running([&] { context.run(); });
    const test::at_the_end stopped([&] { context.stop(); }); // also by an exception, before it is joined
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    std::minstd_rand pace(static_cast<unsigned>(::getpid()));
    std::mutex mutex;
    std::condition_variable changed;
    bool called        = false; // guarded by the mutex
    const auto handler = [&](const ss::event_message& message) {
        if (log.inside.fetch_add(1) != 0) log.overlaps.fetch_add(1);
        if (log.epoch.exchange(message.epoch) > message.epoch) log.stale.fetch_add(1);
        if (log.reader.exchange(segment.self().index) != segment.self().index) log.turns.fetch_add(1);
        char room[1400];
        ss::error_code ec;
        const std::size_t got = socket.receive(std::as_writable_bytes(std::span(room)).first(1 + random() % sizeof(room)), 0, ec);
        const std::uint64_t offset = log.received.load();
        for (std::size_t i = 0; i < got; ++i)
            if (room[i] != byte_at(offset + i)) log.wrong.fetch_add(1);
        log.received.store(offset + got);
        log.inside.fetch_sub(1);
        const std::scoped_lock lock(mutex);
        called = true;
        changed.notify_all();
    };
    ss::select_options patient;
    patient.fence_limit = test::patience;
    role.say("has it");
    role.hear();
    for (int i = 0; i < take_overs; ++i) {
        std::unique_lock lock(mutex);
        called = false;
        lock.unlock();
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
        if (::write(bell.descriptor(), "!", 1) != 1) return 1;
        lock.lock();
        changed.wait_for(lock, std::chrono::microseconds(pace() % 3'000),
                         [&] { return called; }); // or until another had enough of waiting
    }
    role.say("done");
    while (const auto more = role.hear())
        ss::async_select(socket, context.get_executor(), handler, ss::network_event::read, patient);
    socket.close();
    context.stop();
    running.join();
    return 0;
}

TEST_CASE("three processes take a stream from each other at full speed, and read every byte once and in order", "[G1][G2][G4]")
{
    constexpr std::uint64_t total = 2'000'000;
    constexpr int take_overs      = 2'000;
    test::scratch_segment segment;
    test::scratch_directory scratch;
    const std::string path = scratch.path() / "log";
    stream_log& log        = *map_log(path);
    test::connection s(segment, AF_INET);
    const std::string bell_path = scratch.path() / "bell"; // each take-over rings it
    REQUIRE(::mkfifo(bell_path.c_str(), 0600) == 0);
    const test::plain_socket bell(::open(bell_path.c_str(), O_RDWR | O_CLOEXEC));
    std::vector<test::child_process> all;
    for (int i = 0; i < 3; ++i)
        all.emplace_back("takes the stream over and reads it in its handler",
                         std::vector<std::string>{segment.name(), path, std::to_string(take_overs / 3 + 1), bell_path});
    for (test::child_process& one : all)
        hand_to(one, segment, s.socket, "has it");

    std::jthread sender([&](const std::stop_token& enough) {
        const auto is_ready = [&](int descriptor, short what) {
            pollfd one{descriptor, what, 0};
            while (!enough.stop_requested())
                if (::poll(&one, 1, 10) > 0) return true;
            return false;
        };
        std::string bytes(total / take_overs, 0);
        for (std::uint64_t sent = 0; sent < total; sent += bytes.size()) { // a piece for each take-over, about when it is made
            char told = 0;
            if (!is_ready(bell.descriptor(), POLLIN) || ::read(bell.descriptor(), &told, 1) != 1) return;
            for (std::size_t i = 0; i < bytes.size(); ++i)
                bytes[i] = byte_at(sent + i);
            for (std::size_t done = 0; done < bytes.size();) {
                if (!is_ready(s.peer, POLLOUT)) return;
                const auto taken = ::send(s.peer, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (taken < 0 && errno == EAGAIN) continue;
                if (taken <= 0) return;
                done += static_cast<std::size_t>(taken);
            }
        }
    });
    for (test::child_process& one : all)
        one.tell("go");
    for (test::child_process& one : all)
        one.wait_for("done");
    for (test::child_process& one : all)
        one.tell("once more"); // whoever comes last reads the rest
    CHECK(test::eventually([&] { return log.received.load() == total; }));
    for (test::child_process& one : all)
        one.close_input();
    for (test::child_process& one : all)
        CHECK(one.wait() == 0);
    sender.request_stop(); // should it be stuck
    sender.join();
    s.socket.close();
    s.close_peer();

    CHECK(log.overlaps.load() == 0);
    CHECK(log.stale.load() == 0);
    CHECK(log.wrong.load() == 0);
    CHECK(log.turns.load() >= 10); // they did take turns
}

// --- random deaths in random calls ------------------------------------------------------------------------------------

namespace {

class restless {
public:
    restless(const ss::segment& segment, ss::shared_socket&& first, unsigned seed) : segment_(segment), random_(seed)
    {
        sockets_.push_back(std::move(first));
    }

    // One public operation; whether it succeeded.
    bool act()
    {
        ss::shared_socket& s = sockets_[random_() % sockets_.size()];
        ss::error_code ec;
        std::byte room[16]{};
        switch (random_() % 26) {
        case 0:
            s.event_select(ready_, mask(), {}, ec);
            break;
        case 1:
            s.event_select(other_, mask(), {}, ec);
            break;
        case 2:
            ss::async_select(s, context_.get_executor(), handler(), mask(), {}, ec);
            break;
        case 3:
            ss::async_stand_by(s, context_.get_executor(), handler(), mask(), {}, ec);
            break;
        case 4:
            s.stand_by(ready_, mask(), {}, ec);
            break;
        case 5:
            s.pass_on(ec);
            break;
        case 6:
            s.cancel_registration(ec);
            break;
        case 7:
            s.enum_network_events(&ready_, ec);
            break;
        case 8:
            s.enum_network_events(nullptr, ec);
            break;
        case 9:
            s.send(std::span(room).first(3), MSG_DONTWAIT, ec);
            break;
        case 10:
            s.receive(room, MSG_DONTWAIT, ec);
            break;
        case 11:
            static_cast<void>(ready_.is_set()), static_cast<void>(other_.is_set());
            break;
        case 12:
            keep(ss::shared_socket::redeem(segment_, s.duplicate(segment_.self(), ec), ec));
            break;
        case 13:
            give_away(s);
            break;
        case 14:
            for (const auto& one : segment_.waiting_tickets())
                keep(ss::shared_socket::redeem(segment_, one.value, ec));
            break;
        case 15:
            keep(ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec));
            break;
        case 16:
            connect_to_self();
            break;
        case 17:
            segment_.publish("name " + std::to_string(random_() % 3), s, ec);
            break;
        case 18:
            keep(ss::shared_socket::open_published(segment_, "name " + std::to_string(random_() % 3), ec));
            break;
        case 19:
            segment_.poll();
            break;
        case 20:
            static_cast<void>(segment_.sweep());
            break;
        case 21:
            static_cast<void>(s.handles()), static_cast<void>(s.registration());
            break;
        case 22:
            drop();
            break;
        case 23:
            other_ = ss::event_object();
            break;
        case 24:
            hand_over(ss::shared_socket::redeem(segment_, s.duplicate(segment_.self(), ec), ec));
            break;
        case 25:
            receive_hand_over();
            break;
        }
        context_.poll();
        context_.restart();
        return !ec;
    }

private:
    ss::network_event mask() { return static_cast<ss::network_event>(random_() % 64); }
    static ss::event_handler handler()
    {
        return [](const ss::event_message&) {};
    }
    void keep(ss::shared_socket&& made)
    {
        if (made.is_open()) sockets_.push_back(std::move(made));
        while (sockets_.size() > 6)
            drop();
    }
    void drop()
    {
        if (sockets_.size() > 1)
            sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(1 + random_() % (sockets_.size() - 1)));
    }
    void give_away(ss::shared_socket& s)
    {
        const auto all = segment_.processes();
        if (all.empty()) return;
        ss::error_code ec;
        const ss::ticket ticket = s.duplicate(all[random_() % all.size()].id, ec);
        if (!ec && random_() % 2 == 0) segment_.revoke(ticket, ec);
    }
    void hand_over(ss::shared_socket&& s)
    {
        const auto all = segment_.processes();
        if (all.empty() || !s.is_open()) return;
        const std::size_t count = random_() % 2 == 0 ? random_() % 1'000 : random_() % 40'000;
        const auto bytes        = test::carry_pattern(count, count);
        ss::error_code ec;
        if (random_() % 2 == 0) s.event_select(ready_, mask(), {}, ec);
        ss::hand_over(std::move(s), all[random_() % all.size()].id, {bytes, count}, ec);
        keep(std::move(s));
    }
    void receive_hand_over()
    {
        ss::error_code ec;
        while (auto received = ss::receive_hand_over(segment_, ec)) {
            if (received->bytes != test::carry_pattern(received->tag, received->tag)) std::abort(); // the test sees how it ended
            keep(std::move(received->socket));
        }
    }
    void connect_to_self()
    {
        ss::error_code ec;
        ss::shared_socket listener = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec);
        if (ec) return;
        listener.event_select(ready_, mask(), {}, ec);
        ss::shared_socket client = ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec);
        if (ec) return;
        client.event_select(other_, mask(), {}, ec);
        const ss::socket_address to = listener.local_address(ec);
        if (!ec) client.connect(to, ec);
        listener.set_blocking(false, ec);
        keep(listener.accept(ec));
        keep(std::move(client));
    }

    ss::segment segment_;
    std::minstd_rand random_;
    boost::asio::io_context context_;
    ss::event_object ready_, other_;
    std::vector<ss::shared_socket> sockets_; // the first is the one that all share
};

} // namespace

SHAREDSOCK_CHILD_ROLE("does random things until it is killed")
{
    const ss::segment segment = ss::segment::open(role.args.at(0), {.patience = std::chrono::milliseconds(200)});
    role.say("ready");
    restless worker(segment, ss::shared_socket::redeem(segment, ss::ticket::from_text(role.hear().value())),
                    static_cast<unsigned>(std::stoul(role.args.at(1))));
    role.say("begins");
    for (;;) {
        try {
            worker.act();
        } catch (const ss::system_error&) { // of those that have no other way to say that they fail
        }
    }
}

TEST_CASE("two hundred workers are killed in the middle of anything, and what they leave is whole", "[G6][G7]")
{
    constexpr unsigned kills = 200;
    test::scratch_segment segment({.sockets = 128, .processes = 16});
    test::connection s(segment, AF_INET);
    s.socket.set_blocking(false);
    ss::event_object ready;
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    std::minstd_rand random(seed);

    std::size_t handed_over = 0;
    for (unsigned killed = 0; killed < kills;) {
        std::vector<test::child_process> workers;
        for (int i = 0; i < 4; ++i)
            workers.emplace_back(
                "does random things until it is killed",
                std::vector<std::string>{segment.name(), std::to_string(seed + killed * 10 + static_cast<unsigned>(i))});
        for (test::child_process& one : workers)
            hand_to(one, segment, s.socket, "begins");
        for (test::child_process& one : workers) {
            ::poll(nullptr, 0, static_cast<int>(random() % 16)); // a random moment
            one.kill(SIGKILL);
            REQUIRE(one.wait() == -SIGKILL);
            ++killed;
        }
        INFO("after " << killed);
        segment->sweep();
        ss::error_code ec;
        for (const auto& one : segment->waiting_tickets())
            ss::shared_socket::redeem(segment, one.value, ec).close(ec);
        while (auto received = ss::receive_hand_over(segment, ec)) {
            CHECK(received->bytes == test::carry_pattern(received->tag, received->tag));
            received->socket.close(ec);
            ++handed_over;
        }
        CHECK_FALSE(ec);
        REQUIRE(segment->processes().size() == 1);
        REQUIRE(s.socket.handles().size() == 1);
        CHECK_FALSE(s.socket.registration());
        const ss::detail::tables& bytes = segment->attachment()->member()->bytes();
        std::uint32_t sockets = 0, handles = 0;
        for (std::uint32_t i = 0; i < bytes.sockets_backed(); ++i)
            sockets += load(*bytes.socket(i)).state != ss::detail::slot_state::free ? 1 : 0;
        for (std::uint32_t i = 0; i < bytes.handles_backed(); ++i)
            handles += load(*bytes.handle(i)).state != ss::detail::handle_state::free ? 1 : 0;
        REQUIRE(sockets == 1);
        REQUIRE(handles == 1);
        for (std::byte room[4096]; s.socket.receive(room, MSG_DONTWAIT, ec) > 0;) {
        }
        s.socket.event_select(ready, ss::network_event::read);
        static_cast<void>(s.socket.enum_network_events(ready));
        s.say("?");
        REQUIRE(ready.wait(test::patience));
        REQUIRE(s.socket.enum_network_events(ready).occurred == ss::network_event::read);
        s.socket.cancel_registration();
    }
    CHECK(handed_over > 0); // to this process; the workers have had others
}

// --- random bytes in the segment ----------------------------------------------------------------------------------------

SHAREDSOCK_CHILD_ROLE("works on a segment that rots")
{
    const ss::segment_options options{
        .sockets = 16, .processes = 8, .directory = role.args.at(0), .patience = std::chrono::milliseconds(2)};
    const auto seed  = static_cast<unsigned>(std::stoul(role.args.at(1)));
    const int rounds = std::stoi(role.args.at(2));
    const int acts   = std::stoi(role.args.at(3));
    std::minstd_rand random(seed);
    for (int round = 0; round < rounds; ++round) {
        int succeeded          = 0;
        const std::string name = "rots-" + std::to_string(round);
        {
            const ss::segment segment = ss::segment::create(name, options);
            const ss::segment other   = ss::segment::open(name, options);
            test::connection s(segment, AF_INET);
            s.socket.set_blocking(false);
            const ss::detail::tables& bytes = segment.attachment()->member()->bytes();
            auto* const memory              = reinterpret_cast<unsigned char*>(bytes.header);
            const auto size                 = ss::detail::segment_plan::of(bytes.capacity).size_bytes;
            restless here(segment, ss::shared_socket::redeem(segment, s.socket.duplicate(segment.self())),
                          static_cast<unsigned>(random()));
            restless there(other, ss::shared_socket::redeem(other, s.socket.duplicate(other.self())),
                           static_cast<unsigned>(random()));
            for (int i = 0; i < 20; ++i)
                here.act(), there.act(); // so that there is something to damage
            for (int i = 0; i < acts; ++i) {
                // Any byte but those that are looked at when a segment is opened, and more often one of a record in use.
                std::uint64_t at = 128 + random() % (size - 128);
                if (random() % 4 != 0) {
                    const auto* const record = random() % 2 == 0 ? reinterpret_cast<unsigned char*>(bytes.socket(random() % 8))
                                                                 : reinterpret_cast<unsigned char*>(bytes.handle(random() % 16));
                    if (record != nullptr) at = static_cast<std::uint64_t>(record - memory) + random() % 64;
                }
                memory[at] = random() % 2 == 0 ? static_cast<unsigned char>(random())
                                               : static_cast<unsigned char>(memory[at] ^ 1u << random() % 8);
                try {
                    succeeded += random() % 2 == 0 ? here.act() : there.act();
                } catch (const ss::system_error&) {
                }
            }
        } // and all of it goes
        ss::segment::remove(name, options, true);
        role.say(std::to_string(succeeded));
    }
    return 0;
}

TEST_CASE("random bytes all over a segment in use are errors: no crash and no hang", "[G10][fault-57]")
{
    constexpr int rounds = 40;
    constexpr int acts   = 50;
    test::scratch_directory scratch;
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    test::child_process child("works on a segment that rots",
                              {scratch.path(), std::to_string(seed), std::to_string(rounds), std::to_string(acts)});
    int succeeded = 0;
    for (int round = 0; round < rounds; ++round)
        succeeded += std::stoi(child.line()); // fails if it dies or hangs
    CHECK(child.wait() == 0);
    CHECK(succeeded > rounds * acts / 10); // most things go on
    CHECK(succeeded < rounds * acts);
}
