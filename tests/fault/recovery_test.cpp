#include "fault/harness/scenes.hpp"
#include "fault/operations/operations.hpp"
#include "member/death_watch.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t waiters = 0x8000'0000;

// A forked process that ends with the test.
class forked {
public:
    forked(stage& where, const std::function<void(actor&)>& body)
        : process_(where.segment.fork([&] {
              auto* const who = new actor(where.segment);
              body(*who);
              ::raise(SIGKILL);
          }))
    {}
    ~forked() { kill(); }
    forked(const forked&) = delete;

    void wait_until_it_stops() const // the process stops itself
    {
        int status = 0;
        ::waitpid(process_, &status, WUNTRACED);
        REQUIRE(WIFSTOPPED(status));
    }
    void stop() const
    {
        ::kill(process_, SIGSTOP);
        wait_until_it_stops();
    }
    void resume() const { ::kill(process_, SIGCONT); }
    void wait()
    {
        ::waitpid(process_, nullptr, 0);
        process_ = 0;
    }
    void kill()
    {
        if (process_ != 0) {
            ::kill(process_, SIGKILL);
            wait();
        }
    }

private:
    pid_t process_;
};

void open(stage& where, actor& who)
{
    who.member.attach();
    error_code ec;
    who.own = {where.shared.socket, who.member->open_handle(where.shared.socket, ec)};
}

void own(stage& where, actor& who)
{
    open(where, who);
    who.epoch = where.take_over(who.member, who.own);
}

void claim(stage& where, actor& who)
{
    own(where, who);
    who.member->claim(who.member.slot(who.own.socket), who.epoch, all_events);
}

registration_word word(stage& where) { return where.survivor.word(where.shared.socket); }

bool is_waited_for(stage& where)
{
    return eventually([&] { return (where.survivor.slot(where.shared.socket).lock & waiters) != 0; });
}

// Another member in this process, with a handle.
struct neighbour {
    explicit neighbour(stage& where) : member(where.segment)
    {
        member.attach();
        error_code ec;
        own = {where.shared.socket, member->open_handle(where.shared.socket, ec)};
    }
    core_member member;
    socket_and_handle own;
};

} // namespace

TEST_CASE("a dead owner's events are free though a stopped process keeps the socket's lock", "[fault-11]")
{
    stage where;
    where.die_after(own);
    forked stopped(where, [&](actor& who) {
        open(where, who);
        error_code ec;
        const membership::slot_guard guard(who.member.self, where.shared.socket.index, ec);
        ::raise(SIGSTOP);
    });
    stopped.wait_until_it_stops();
    where.survivor.heard();

    core_member sweeper(where.segment, 20ms); // the stopped actor has the index beside the dead one's
    sweeper.attach();
    CHECK(sweeper->sweep_dead() == 0); // the sweep is not complete: the handle of the dead is in the list
    CHECK_FALSE(word(where).owned());
    CHECK(where.survivor.rung());
    where.epoch = where.take_over(where.survivor, where.shared);
    CHECK(where.survivor->claim(where.survivor.slot(where.shared.socket), where.epoch, read_event));
    where.survivor->finish(where.survivor.slot(where.shared.socket), where.shared.socket.index, where.epoch, 0);

    stopped.kill();
    CHECK(sweeper->sweep_dead() == 2);
    CHECK(where.recovers() == "");
}

TEST_CASE("a ticket that is redeemed while its dead source is swept is a handle from then on", "[fault-66]")
{
    stage where;
    where.die_after([](stage& here, actor& who) { // its only handle is the ticket
        who.member.attach();
        error_code ec;
        who.ticket = who.member->prepare_offer(here.shared.socket, 7, {}, ec, &test::scenes::some_process);
        who.member->keep_ticket(who.ticket);
        here.told() = {.dead = who.member->self(), .ticket = who.ticket};
    });
    error_code ec;
    forked sweeper(where, [](actor& who) {
        who.member.attach();
        ::raise(SIGSTOP);
        who.member->sweep_dead();
    });
    sweeper.wait_until_it_stops();
    std::optional<membership::slot_guard> guard(std::in_place, where.survivor.self, where.shared.socket.index, ec);
    sweeper.resume();
    REQUIRE(is_waited_for(where));                         // the sweeper has seen the ticket
    CHECK_FALSE(where.survivor->alive(where.told().dead)); // though the sweeper holds its byte
    CHECK(where.survivor->redeem_kept(where.told().ticket));
    guard.reset();
    sweeper.wait();

    const handle_record* const record = handle_table::find(where.segment.bytes(), where.told().ticket);
    REQUIRE(record != nullptr);
    CHECK(load(*record) == handle_life{where.told().ticket.generation, where.survivor->self().index, handle_state::held});
    CHECK(where.recovers() == "");
}

TEST_CASE("a process that is stopped in the middle of a sweep keeps one index, and others sweep the other dead processes",
          "[fault-13]")
{
    stage where;
    where.die_after(open);
    error_code ec;
    forked sweeper(where, [](actor& who) {
        who.member.attach();
        ::raise(SIGSTOP);
        who.member->sweep_dead();
    });
    sweeper.wait_until_it_stops();
    std::optional<membership::slot_guard> guard(std::in_place, where.survivor.self, where.shared.socket.index, ec);
    sweeper.resume();
    REQUIRE(is_waited_for(where));
    sweeper.stop();
    guard.reset();

    where.die_after(own);
    CHECK(where.survivor->sweep_dead() == 1);
    CHECK_FALSE(word(where).owned());
    sweeper.kill();
    CHECK(where.survivor->sweep_dead() == 2);
    CHECK(where.recovers() == "");
    CHECK(where.goes_on() == "");
}

TEST_CASE("a process that watches another sees its death swept, though another sweeper died over it", "[fault-2][fault-13]")
{
    stage where;
    forked owner(where, [&](actor& who) {
        own(where, who);
        who.member->bytes().process(who.member->self().index)->pid = ::getpid(); // as an attachment writes it
        ::raise(SIGSTOP);
    });
    owner.wait_until_it_stops();
    death_watch watch;
    error_code ec;
    watch.open(ec);
    watch.watch_holders(where.survivor.self, where.shared.socket.index);
    forked sweeper(where, [](actor& who) {
        who.member.attach();
        ::raise(SIGSTOP);
        who.member->sweep_dead();
    });
    sweeper.wait_until_it_stops();
    owner.kill();
    std::optional<membership::slot_guard> guard(std::in_place, where.survivor.self, where.shared.socket.index, ec);
    sweeper.resume();
    REQUIRE(is_waited_for(where)); // the sweeper has begun with the owner
    sweeper.stop();
    guard.reset();

    watch.answer(where.survivor.self); // the death, while the other process sweeps
    CHECK(word(where).owned());
    sweeper.kill();
    CHECK(eventually([&] { // only the watch shows it
        pollfd shown{watch.native_handle(), POLLIN, 0};
        if (::poll(&shown, 1, 0) == 1) watch.answer(where.survivor.self);
        return !word(where).owned();
    }));
    CHECK(where.recovers() == "");
}

TEST_CASE("taking over from an owner that is stopped and delivers nothing is fenced at once", "[fault-9]")
{
    stage where;
    forked owner(where, [&](actor& who) {
        own(where, who);
        ::raise(SIGSTOP);
    });
    owner.wait_until_it_stops();
    const auto result = where.survivor->take_over(where.shared, all_events, 1);
    CHECK_FALSE(result.must_fence);
    CHECK(where.survivor->claim(where.survivor.slot(where.shared.socket), result.epoch, read_event));
}

TEST_CASE("taking over from an owner that stopped in a delivery is pending, and the end of the delivery rings", "[fault-10]")
{
    stage where;
    forked owner(where, [&](actor& who) {
        claim(where, who);
        ::raise(SIGSTOP);
        who.member->finish(who.member.slot(who.own.socket), who.own.socket.index, who.epoch, 0);
        ::raise(SIGSTOP);
    });
    owner.wait_until_it_stops();
    const auto result = where.survivor->take_over(where.shared, all_events, 1);
    socket_slot& slot = where.survivor.slot(where.shared.socket);
    CHECK(result.must_fence);
    CHECK(where.survivor->fence(where.shared.socket, result.epoch, 20ms, false) == membership::fence_state::pending);
    CHECK_FALSE(where.survivor->claim(slot, result.epoch, read_event));
    where.survivor.heard();
    owner.resume();
    owner.wait_until_it_stops();
    CHECK(where.survivor.rung());
    CHECK(where.survivor->fence(where.shared.socket, result.epoch, 0ms, false) == membership::fence_state::ended);
    CHECK(where.survivor->claim(slot, result.epoch, read_event));
}

TEST_CASE("a wait at the fence ends as lost when another process takes over")
{
    stage where;
    neighbour other(where);
    where.survivor->claim(where.survivor.slot(where.shared.socket), where.epoch, all_events);
    const auto first = other.member->take_over(other.own, all_events, 1);
    where.epoch      = where.take_over(where.survivor, where.shared);
    CHECK(other.member->fence(where.shared.socket, first.epoch, 10s, false) == membership::fence_state::lost);
}

TEST_CASE("a turn that its process has not noticed goes to the next standby when its handle is closed")
{
    stage where;
    neighbour first(where), second(where);
    error_code ec;
    first.member->stand_by(first.own, all_events, ec);
    second.member->stand_by(second.own, all_events, ec);
    where.survivor->cancel(where.shared.socket);
    REQUIRE(word(where).owner == first.member->self().index);
    second.member.heard();
    first.member->close_handle(first.own, 0, ec); // this handle knows no epoch
    CHECK(word(where).owner == second.member->self().index);
    CHECK(second.member.rung());
}

TEST_CASE("a turn that its process has not noticed goes to the next standby when its handle leaves the queue for good")
{
    stage where;
    neighbour first(where), second(where);
    error_code ec;
    first.member->stand_by(first.own, all_events, ec);
    second.member->stand_by(second.own, all_events, ec);
    where.survivor->cancel(where.shared.socket);
    first.member->stand_down(first.own, membership::turn_that_came::given_up, ec);
    CHECK(word(where).owner == second.member->self().index);
}

TEST_CASE("a turn that comes to a process that has registered and not left the queue yet goes to the next standby")
{
    stage where;
    neighbour first(where), second(where);
    error_code ec;
    first.member->stand_by(first.own, all_events, ec);
    second.member->stand_by(second.own, all_events, ec);
    const auto registered = first.member->take_over(first.own, all_events, 1);
    SECTION("its registration was cancelled in between")
    {
        where.survivor->cancel(where.shared.socket);
        REQUIRE(word(where).owner == first.member->self().index);
        REQUIRE(word(where).epoch != registered.epoch);
        first.member->stand_down(first.own, membership::turn_that_came::given_up, ec);
        CHECK(word(where).owner == second.member->self().index);
    }
    SECTION("nothing happened in between: it owns the events")
    {
        first.member->stand_down(first.own, membership::turn_that_came::given_up, ec);
        CHECK(word(where).owned_by(first.member->self().index, registered.epoch));
    }
}

TEST_CASE("closing one of a process's handles ends no registration and no delivery through another")
{
    stage where;
    error_code ec;
    const socket_and_handle second{where.shared.socket, where.survivor->open_handle(where.shared.socket, ec)};
    REQUIRE(where.survivor->claim(where.survivor.slot(where.shared.socket), where.epoch, read_event));
    where.survivor->close_handle(second, 0, ec);
    CHECK(where.owns());
    CHECK(word(where).delivering == where.survivor->self().index);
}

TEST_CASE("one of the processes that register in the same instant owns the events, and the others are told", "[fault-77]")
{
    constexpr int crowd = 6;
    stage where;
    shared_memory memory(sizeof(std::atomic<int>) * 3);
    auto* const counters  = reinterpret_cast<std::atomic<int>*>(memory.data());
    std::atomic<int>&here = counters[0], &owners = counters[1], &told = counters[2];
    for (int round = 0; round < 20; ++round) {
        here = owners = told = 0;
        {
            std::vector<std::unique_ptr<forked>> all;
            for (int count = 0; count < crowd; ++count) {
                all.push_back(std::make_unique<forked>(where, [&](actor& who) {
                    open(where, who);
                    ++here;
                    while (here < crowd) {
                    }
                    who.epoch = where.take_over(who.member, who.own);
                    ++here;
                    eventually([&] { return here >= 2 * crowd; });
                    const bool owner = who.member.word(who.own.socket).owned_by(who.member->self().index, who.epoch);
                    owners += owner;
                    told += !owner && eventually([&] { return who.member.rung(); });
                    ++here;
                    ::pause();
                }));
            }
            REQUIRE(eventually([&] { return here == 3 * crowd; }));
        }
        CHECK(owners == 1);
        CHECK(told == crowd - 1);
        CHECK(where.recovers() == "");
    }
}
