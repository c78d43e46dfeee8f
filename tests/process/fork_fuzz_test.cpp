// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Random sequences of public calls, by a seed, then fork(2): the child makes calls of its own and ends everything, and the parent
// goes on. SHAREDSOCK_FORK_SEED tries one seed; SHAREDSOCK_TEST_LONG many more.
#include "process/forking.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <list>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace ss   = sharedsock;
namespace asio = boost::asio;
using ne       = ss::network_event;

namespace {

constexpr std::size_t most = 12; // of each kind

class fuzzer {
public:
    fuzzer(const ss::segment& first, const ss::segment& second, std::uint32_t seed) : segments_{first, second}, random_(seed) {}
    ~fuzzer() // the context last, in one of two orders
    {
        for (const int descriptor : plain_)
            ::close(descriptor);
        if (chance(2)) streams_.clear();
    }

    void run(std::size_t calls)
    {
        for (; calls > 0; --calls)
            steps()[random_() % steps().size()](*this);
    }
    bool chance(std::uint32_t of) { return random_() % of == 0; }
    asio::io_context& io() { return io_; }
    void seed(std::uint32_t with) { random_.seed(with); }

    /// Whether the library works on a new socket.
    bool works()
    {
        test::connection own(segments_[0]);
        ss::event_object ready;
        own.socket.event_select(ready, ne::read);
        own.say("x");
        std::array<std::byte, 1> byte{};
        return ready.wait(std::chrono::seconds(30)) && own.socket.receive(byte) == 1;
    }

private:
    using step = void (*)(fuzzer&);

    template <class All>
    auto* any(All& all)
    {
        if (all.empty()) return static_cast<decltype(&all.front())>(nullptr);
        return &*std::next(all.begin(), static_cast<std::ptrdiff_t>(random_() % all.size()));
    }
    template <class All>
    void drop(All& all)
    {
        if (!all.empty()) all.erase(std::next(all.begin(), static_cast<std::ptrdiff_t>(random_() % all.size())));
    }
    ss::segment& segment() { return segments_[random_() % 2]; }
    ne mask() { return static_cast<ne>(1 + random_() % 0x3f); }

    void with(void (*what)(fuzzer&, ss::shared_socket&, ss::event_object&))
    {
        ss::shared_socket* const socket = any(sockets_);
        ss::event_object* const object  = any(objects_);
        if (socket != nullptr && object != nullptr) what(*this, *socket, *object);
    }

    void adopt()
    {
        int ends[2];
        if (sockets_.size() >= most || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
        sockets_.push_back(ss::shared_socket::adopt(segment(), ends[0]));
        plain_.push_back(ends[1]);
    }
    void duplicate()
    {
        ss::shared_socket* const one = any(sockets_);
        if (one == nullptr || sockets_.size() >= most || !one->is_open()) return;
        ss::segment& to = segment();
        sockets_.push_back(ss::shared_socket::redeem(to, one->duplicate(to.self())));
    }
    void hand_over()
    {
        if (sockets_.empty()) return;
        ss::hand_over_unacknowledged(std::move(sockets_.front()), segment().self(), {{}, 1}, ec_);
        sockets_.pop_front();
    }
    void receive()
    {
        if (auto one = ss::receive_hand_over(segment(), ec_)) sockets_.push_back(std::move(one->socket));
    }
    void make_stream()
    {
        if (sockets_.empty() || streams_.size() >= most || !sockets_.front().is_open()) return;
        try {
            streams_.emplace_back(io_, std::move(sockets_.front()));
        } catch (const ss::system_error&) { // a duplicate of it is on this context
        }
        sockets_.pop_front();
    }
    void read()
    {
        if (ss::stream* const one = any(streams_)) one->async_read_some(asio::buffer(room_), [](ss::error_code, std::size_t) {});
    }
    void select_handler(bool stands_by)
    {
        ss::shared_socket* const one = any(sockets_);
        if (one == nullptr) return;
        const auto handler = [held = std::make_shared<int>(1)](const ss::event_message&) {};
        if (stands_by)
            ss::async_stand_by(*one, io_.get_executor(), handler, mask(), {}, ec_);
        else
            ss::async_select(*one, io_.get_executor(), handler, mask(), {}, ec_);
    }

    static const std::array<step, 24>& steps();

    std::array<ss::segment, 2> segments_;
    std::mt19937 random_;
    ss::error_code ec_;
    std::vector<int> plain_;
    std::array<char, 16> room_{};
    asio::io_context io_;
    std::list<ss::event_object> objects_;
    std::list<ss::shared_socket> sockets_;
    std::list<ss::stream> streams_;
    std::shared_ptr<void> serving_;
};

const std::array<fuzzer::step, 24>& fuzzer::steps()
{
    static constexpr std::array<step, 24> all{{
        [](fuzzer& of) { of.adopt(); },
        [](fuzzer& of) { of.adopt(); },
        [](fuzzer& of) { of.duplicate(); },
        [](fuzzer& of) { of.duplicate(); },
        [](fuzzer& of) {
            if (of.objects_.size() < most) of.objects_.emplace_back();
        },
        [](fuzzer& of) {
            if (of.objects_.size() < most) of.objects_.emplace_back();
        },
        [](fuzzer& of) { of.drop(of.objects_); },
        [](fuzzer& of) { of.drop(of.sockets_); },
        [](fuzzer& of) {
            of.with([](fuzzer& f, auto& socket, auto& object) { socket.event_select(object, f.mask(), {}, f.ec_); });
        },
        [](fuzzer& of) {
            of.with(
                [](fuzzer& f, auto& socket, auto& object) { socket.event_select(object, f.mask(), {.tell_loss = true}, f.ec_); });
        },
        [](fuzzer& of) { of.with([](fuzzer& f, auto& socket, auto& object) { socket.stand_by(object, f.mask(), {}, f.ec_); }); },
        [](fuzzer& of) { of.with([](fuzzer& f, auto& socket, auto& object) { socket.enum_network_events(&object, f.ec_); }); },
        [](fuzzer& of) { of.with([](fuzzer& f, auto& socket, auto&) { socket.cancel_registration(f.ec_); }); },
        [](fuzzer& of) { of.with([](fuzzer& f, auto& socket, auto&) { socket.pass_on(f.ec_); }); },
        [](fuzzer& of) {
            of.with([](fuzzer& f, auto& socket, auto&) { socket.send(std::as_bytes(std::span("x")), MSG_DONTWAIT, f.ec_); });
        },
        [](fuzzer& of) {
            if (auto* const one = of.any(of.objects_)) one->set(), static_cast<void>(one->is_set());
        },
        [](fuzzer& of) { of.hand_over(); },
        [](fuzzer& of) { of.receive(); },
        [](fuzzer& of) { of.make_stream(); },
        [](fuzzer& of) { of.read(); },
        [](fuzzer& of) { of.drop(of.streams_); },
        [](fuzzer& of) { of.select_handler(of.chance(2)); },
        [](fuzzer& of) { of.io_.restart(), of.io_.poll(); },
        [](fuzzer& of) { of.serving_ = of.serving_ != nullptr ? nullptr : ss::serve(of.segments_[0], of.io_.get_executor()); },
    }};
    return all;
}

int fork_from(std::unique_ptr<fuzzer>& one, std::uint32_t seed, int depth)
{
    const bool notifies = one->chance(2);
    if (notifies) one->io().notify_fork(asio::execution_context::fork_prepare);
    const pid_t child = ::fork();
    if (notifies) one->io().notify_fork(child == 0 ? asio::execution_context::fork_child : asio::execution_context::fork_parent);
    if (child != 0) return test::ended(child);
    int result = 0;
    try {
        one->seed(seed ^ 0x5eed);
        if (notifies) one->run(20); // else Asio's epoll is the parent's, and the child only ends its objects
        if (!one->works()) result = 1;
        if (depth > 0 && result == 0 && notifies) result = fork_from(one, seed + 1, depth - 1) == 0 ? 0 : 2;
        one.reset();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "seed %u, in a child: %s\\n", seed, failure.what());
        result = 3;
    }
    ::_exit(result);
}

} // namespace

/// args: the first seed, how many. Says of each that it was tried, and before that what went wrong.
SHAREDSOCK_CHILD_ROLE(forks after random calls)
{
    test::kill_children_that_hang();
    test::scratch_segment home({.sockets = 256, .processes = 64});
    const ss::segment again = ss::segment::open(home.name(), home.options());
    const auto first        = static_cast<std::uint32_t>(std::stoul(role.args.at(0)));
    for (std::uint32_t seed = first; seed != first + std::stoul(role.args.at(1)); ++seed) {
        auto one = std::make_unique<fuzzer>(*home, again, seed);
        one->run(40 + seed % 40);
        const int child = fork_from(one, seed, 2);
        one->io().restart();
        one->run(10);
        if (child != 0 || !one->works())
            role.say("SHAREDSOCK_FORK_SEED=" + std::to_string(seed) + ": the child ended with " + std::to_string(child));
        one.reset();
        home->sweep();
        role.say("tried"); // the test waits for each seed, not for all of them
    }
    role.say("done");
    return 0;
}

TEST_CASE("a fork after any sequence of calls leaves a child and a parent that go on and end everything", "[DUP-17][fault-81]")
{
    const char* const told = std::getenv("SHAREDSOCK_FORK_SEED");
    const bool is_long     = std::getenv("SHAREDSOCK_TEST_LONG") != nullptr;
    const auto first       = told != nullptr ? std::string(told) : std::to_string(std::random_device()() & 0xffffff);
    const int count        = told != nullptr ? 1 : is_long ? 5000 : 150;
    test::child_process forks("forks after random calls", {first, std::to_string(count)});
    INFO("the first seed is " << first);
    std::string heard;
    int tried = 0;
    while ((heard = forks.line()) != "done") {
        if (heard != "tried")
            FAIL_CHECK(heard);
        else
            ++tried;
    }
    CHECK(tried == count);
    CHECK(forks.wait() == 0);
}
