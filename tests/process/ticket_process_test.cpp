// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets and names where something comes in between: forgers, races, deaths, full boxes, processes that do not look.
#include "attachment.hpp"
#include "handing.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/peer.hpp"
#include "support/scratch_segment.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

constexpr const char* used            = "error: invalid_argument, ticket_used";
constexpr const char* wrong_process   = "error: invalid_argument, ticket_wrong_process";
constexpr const char* foreign_segment = "error: invalid_argument, ticket_foreign_segment";
constexpr const char* malformed       = "error: invalid_argument, ticket_malformed";
constexpr const char* nobody_serves   = "error: timed_out, no_serving_holder";
constexpr const char* not_published   = "error: no_such_file_or_directory, name_not_published";
constexpr const char* no_descriptors  = "error: too_many_files_open";

// A stream between this process, which shares it, and X.
struct stream {
    explicit stream(const ss::segment& where, int family = AF_INET) : connection(where, family)
    {
        x      = test::plain_socket(std::exchange(connection.peer, -1));
        socket = std::move(connection.socket);
    }
    ss::ticket ticket_for(test::peer& target) const { return socket.duplicate(target_id(target)); }
    ss::process_id target_id(test::peer& target) const
    {
        return socket.where().find_process(target.process().pid()).value();
    }

    test::connection connection;
    ss::shared_socket socket;
    test::plain_socket x{-1};
};

int either_family() { return GENERATE(AF_INET, AF_UNIX); }

std::string redeem(test::peer& who, const ss::ticket& value, const std::string& handle = "h")
{
    return who.ask("redeem " + handle + " " + value.to_text());
}

// Whether the handle that `who` calls h is one to the other end of which is `x`.
bool talk(test::peer& who, test::plain_socket& x)
{
    if (who.ask("send h ping") != "4" || x.receive(4) != "ping") return false;
    x.send("pong");
    return who.ask("receive h 4") == "\"pong\"";
}

void end(test::peer& who)
{
    who.process().kill(SIGKILL);
    REQUIRE(who.process().wait() == -SIGKILL);
}

// The answer of `asker` to `command`, for which `holder` has to serve.
std::string served_by(test::peer& holder, test::peer& asker, const std::string& command)
{
    REQUIRE(asker.ask("start t " + command) == "ok");
    while (asker.ask("running t") == "yes")
        REQUIRE(holder.ask("poll_segment") == "ok");
    return asker.ask("join t");
}

// Likewise, for this process to serve.
std::string served_by(ss::segment& holder, test::peer& asker, const std::string& command)
{
    const auto serving = holder.serve_in_thread();
    return asker.ask(command);
}

template <class Record>
std::size_t in_use(ss::segment& segment, Record* (ss::detail::tables::*at)(std::uint32_t) const noexcept,
                   std::uint32_t count)
{
    const ss::detail::tables& bytes = segment.attachment()->member()->bytes();
    std::size_t count_of_used       = 0;
    for (std::uint32_t index = 0; index < count; ++index)
        count_of_used += static_cast<int>(load(*(bytes.*at)(index)).state) != 0; // of both kinds, 0 is free
    return count_of_used;
}

// Slots and handle records that are not free, by what the segment itself says.
std::size_t sockets_in_use(ss::segment& segment)
{
    return in_use(segment, &ss::detail::tables::socket, segment.attachment()->member()->bytes().sockets_backed());
}
std::size_t handles_in_use(ss::segment& segment)
{
    return in_use(segment, &ss::detail::tables::handle, segment.attachment()->member()->bytes().handles_backed());
}

std::size_t descriptors_of(pid_t pid)
{
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), std::filesystem::directory_iterator()));
}

// A process that has not attached to `segment`: it is a member of another one, so that it can talk.
struct newcomer {
    explicit newcomer(const std::string& segment) : segment_(segment) {}
    test::peer& attach()
    {
        REQUIRE(peer.ask("attach " + segment_) == "ok");
        return peer;
    }
    std::int32_t pid() { return peer.process().pid(); }

    test::scratch_segment elsewhere;
    test::peer peer{elsewhere.name()};

private:
    const std::string segment_;
};

} // namespace

// --- false tickets ----------------------------------------------------------------------------------------------------

TEST_CASE("a ticket of another segment is refused, and stays good in its own", "[DUP-3][ERR-2][fault-64]")
{
    test::scratch_segment one, other;
    test::peer b(one.name());
    stream s(one);
    const ss::ticket ticket = s.ticket_for(b);
    ss::error_code ec;
    ss::shared_socket::redeem(other, ticket, ec);
    CHECK(ec == ss::errc::ticket_foreign_segment);
    CHECK_FALSE(other->revoke(ticket, ec));
    CHECK(ec == ss::errc::ticket_foreign_segment);
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a forged ticket is refused, and the true one stays good", "[DUP-3][ERR-2][G9]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    stream s(segment);
    const ss::ticket ticket = s.ticket_for(b);
    ss::ticket forged       = ticket;

    SECTION("with another nonce")
    {
        forged.nonce ^= 1;
        CHECK(redeem(b, forged) == used);
        CHECK_FALSE(segment->revoke(forged));
    }
    SECTION("with the nonce that an open handle has")
    {
        forged.handle            = static_cast<std::uint32_t>(s.socket.handle_id());
        forged.handle_generation = static_cast<std::uint32_t>(s.socket.handle_id() >> 32);
        forged.nonce             = 0;
        CHECK(redeem(b, forged) == used);
        CHECK_FALSE(segment->revoke(forged));
    }
    SECTION("with a handle that is none")
    {
        for (const std::uint32_t index : {forged.handle + 1, 1'000'000u, 0x7fff'ffffu, 0xffff'ffffu}) {
            forged.handle = index;
            CHECK(redeem(b, forged) == used);
            CHECK_FALSE(segment->revoke(forged));
        }
    }
    SECTION("with an earlier or later use of the handle")
    {
        for (const std::uint32_t step : {1u, 0xffff'ffffu}) {
            forged = ticket;
            forged.handle_generation += step;
            CHECK(redeem(b, forged) == used);
            CHECK_FALSE(segment->revoke(forged));
        }
    }
    SECTION("made out to the thief")
    {
        forged.target = s.target_id(c);
        CHECK(redeem(c, forged) == wrong_process);
    }
    SECTION("made out to a pid")
    {
        forged.target     = {};
        forged.target_pid = c.process().pid();
        CHECK(redeem(c, forged) == wrong_process);
    }
    SECTION("of nothing")
    {
        CHECK(redeem(b, ss::ticket()) == malformed);
        ss::error_code ec;
        CHECK_FALSE(segment->revoke(ss::ticket(), ec));
        CHECK(ec == std::errc::invalid_argument);
    }
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a live ticket of which any bit of the text is flipped is no ticket", "[ERR-2][fault-64]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    stream s(segment);
    const ss::ticket ticket = s.ticket_for(b);
    const std::string text  = ticket.to_text();
    std::size_t refused     = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string flipped = text;
            flipped[at]         = static_cast<char>(flipped[at] ^ 1 << bit);
            ss::error_code ec;
            ss::shared_socket::redeem(segment, ss::ticket::from_text(flipped, ec), ec);
            refused += ec == std::errc::invalid_argument;
        }
    }
    CHECK(refused == 8 * text.size());
    CHECK(redeem(b, ticket) == "ok");
}

TEST_CASE("attempts of wrong processes do not use a ticket up", "[DUP-3][G9]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    stream s(segment, either_family());
    const ss::ticket ticket = s.ticket_for(b);
    ss::error_code ec;
    for (int attempt = 0; attempt < 20; ++attempt) {
        CHECK(redeem(c, ticket) == wrong_process);
        ss::shared_socket::redeem(segment, ticket, ec);
        CHECK(ec == ss::errc::ticket_wrong_process);
    }
    CHECK(redeem(b, ticket) == "ok");
    CHECK(redeem(c, ticket) == used);
    CHECK(talk(b, s.x));
}

TEST_CASE("a ticket dies with its target: a process in the same place cannot replay it", "[DUP-3][DUP-14]")
{
    test::scratch_segment segment({.sockets = 4, .processes = 2}); // one place besides this process's
    stream s(segment);
    ss::ticket ticket;
    {
        test::peer b(segment.name());
        ticket = s.ticket_for(b);
        end(b);
    }
    test::peer again(segment.name());
    CHECK(s.target_id(again).index == ticket.target.index);
    CHECK(redeem(again, ticket) == used);
    CHECK(s.socket.handles().size() == 1);
    CHECK(redeem(again, s.ticket_for(again)) == "ok"); // and what is made for it now is its
    CHECK(redeem(again, ticket, "g") == used);
    CHECK(talk(again, s.x));
}

// --- races ------------------------------------------------------------------------------------------------------------

TEST_CASE("of a revocation and a redemption at the same time exactly one succeeds", "[DUP-4][DUP-8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    stream s(segment, either_family());
    int redeemed = 0, revoked = 0;
    for (int round = 0; round < 1000; ++round) {
        const std::string ticket = s.ticket_for(b).to_text();
        // Who is told first has a head start, so they take turns.
        if (round % 2 == 0) c.process().tell("revoke " + ticket);
        b.process().tell("redeem h " + ticket);
        if (round % 2 != 0) c.process().tell("revoke " + ticket);
        const std::string redemption = b.process().line();
        const std::string revocation = c.process().line();
        INFO("round " << round << ": " << redemption << " and " << revocation);
        REQUIRE(((redemption == "ok" && revocation == "no") || (redemption == used && revocation == "yes")));
        ++(redemption == "ok" ? redeemed : revoked);
        REQUIRE(s.socket.handles().size() == (redemption == "ok" ? 2u : 1u));
        if (redemption == "ok") REQUIRE(b.ask("drop h") == "ok");
    }
    CHECK(redeemed + revoked == 1000);
    CHECK(handles_in_use(segment) == 1);
    s.socket.close();
    CHECK(b.ask("poll_segment") == "ok");
    CHECK(s.x.ended()); // no descriptor stayed with B
}

SHAREDSOCK_CHILD_ROLE(two threads redeem the same tickets in opposite orders)
{
    const ss::segment segment = ss::segment::open(role.args.at(0));
    role.say("ready");
    std::vector<ss::ticket> tickets;
    int redeemed = 0, refused = 0, other = 0;
    while (const auto line = role.hear()) {
        if (*line == "report") {
            role.say(std::to_string(redeemed) + " redeemed, " + std::to_string(refused) + " refused, " +
                     std::to_string(other) + " other");
            continue;
        }
        if (*line == "ask others") { // as if they were in another pid namespace: then there is no way but to ask
            const auto* const member = segment.attachment()->member();
            member->bytes().process(member->self().index)->pid_namespace += 1;
            continue;
        }
        if (*line != "go") {
            tickets.push_back(ss::ticket::from_text(*line));
            continue;
        }
        std::atomic<int> at_the_start{0};
        const auto run = [&](auto from, auto to) {
            std::vector<ss::error_code> answers;
            at_the_start.fetch_add(1);
            while (at_the_start.load() < 2)
                std::this_thread::yield();
            for (; from != to; ++from) {
                answers.emplace_back();
                ss::shared_socket::redeem(segment, *from, answers.back());
            }
            return answers;
        };
        auto backwards = std::async(std::launch::async, [&] { return run(tickets.rbegin(), tickets.rend()); });
        for (const auto& answers : {run(tickets.begin(), tickets.end()), backwards.get()}) {
            for (const ss::error_code& ec : answers)
                ++(!ec ? redeemed : ec == ss::errc::ticket_used ? refused : other);
        }
        tickets.clear();
        role.say("done");
    }
    return 0;
}

TEST_CASE("two threads that race through 1000 tickets redeem each once, and neither is held up", "[DUP-4]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 4, .handles = 512});
    stream s(segment, either_family());
    test::child_process racing("two threads redeem the same tickets in opposite orders", {segment.name()});
    racing.wait_for("ready");
    const ss::process_id target = segment->find_process(racing.pid()).value();
    racing.tell("ask others"); // of whom nobody serves
    const auto begin = std::chrono::steady_clock::now();
    for (int batch = 0; batch < 10; ++batch) {
        for (int i = 0; i < 100; ++i)
            racing.tell(s.socket.duplicate(target).to_text());
        REQUIRE(racing.ask("go") == "done");
    }
    CHECK(std::chrono::steady_clock::now() - begin <
          test::patience); // a wait in vain for a descriptor is a second each
    CHECK(racing.ask("report") == "1000 redeemed, 1000 refused, 0 other");
    CHECK(s.socket.handles().size() == 1);
    s.socket.close();
    CHECK(s.x.ended());
}

SHAREDSOCK_CHILD_ROLE(redeems whatever waits for it)
{
    ss::segment segment        = ss::segment::open(role.args.at(0));
    const std::size_t expected = std::stoul(role.args.at(1));
    role.say("ready");
    std::size_t redeemed = 0;
    std::string trouble;
    pollfd asked{segment.native_handle(), POLLIN, 0};
    while (redeemed<expected&& ::poll(&asked, 1, static_cast<int>(test::patience.count()))> 0) {
        segment.poll();
        for (const ss::waiting_ticket& one : segment.waiting_tickets()) {
            ss::error_code ec;
            ss::shared_socket::redeem(segment, one.value, ec);
            if (ec && trouble.empty()) trouble = ", but at " + std::to_string(redeemed) + ": " + ec.message();
            redeemed += !ec;
        }
    }
    role.say(std::to_string(redeemed) + " redeemed" + trouble);
    return 0;
}

TEST_CASE("a ticket that is listed as waiting can be redeemed, however early the target looks", "[DUP-2][DUP-6]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 4, .handles = 512});
    stream s(segment, either_family());
    constexpr int count = 500;
    test::child_process b("redeems whatever waits for it", {segment.name(), std::to_string(count)});
    b.wait_for("ready");
    const ss::process_id target = segment->find_process(b.pid()).value();
    ss::error_code ec;
    for (int made = 0; made < count;) {
        s.socket.duplicate(target, ec);
        if (!ec) ++made;
        if (ec) REQUIRE(ec == std::errc::no_buffer_space); // B is on its way
    }
    CHECK(b.line() == std::to_string(count) + " redeemed");
}

TEST_CASE("a ticket is redeemed at once by who has its letter, though its source stands still and has not said so",
          "[DUP-2][G7]")
{
    test::scratch_segment segment;
    stream s(segment, either_family());
    test::peer b(segment.name());
    const ss::process_id target = s.target_id(b);
    const auto& of              = *s.socket.impl();
    auto& where                 = *segment->attachment();
    auto& self                  = *where.member();

    // What `duplicate` does, as far as the letter.
    constexpr std::uint64_t nonce = 4710;
    ss::error_code ec;
    const auto record = self.prepare_offer(of.socket(), nonce, target, ec);
    REQUIRE_FALSE(ec);
    using ss::detail::letter;
    where.box().send(target.index, make_offer(letter::kind::offer, of, self, record, nonce, target), of.fd(), ec);
    REQUIRE_FALSE(ec);
    ss::ticket value;
    value.segment           = where.uuid();
    value.handle            = record.index;
    value.handle_generation = record.generation;
    value.nonce             = nonce;
    value.target            = target;

    const bool redeemed = GENERATE(true, false);
    CHECK(ss::shared_socket::redeem(*segment, value, ec).is_open() == false);
    CHECK(ec == ss::errc::ticket_wrong_process);
    if (redeemed)
        CHECK(redeem(b, value) == "ok");
    else
        CHECK(segment->revoke(value));
    CHECK(self.commit_offer({of.socket(), record}, target)); // its source goes on
    CHECK(redeem(b, value, "again") == used);
    if (redeemed) CHECK(talk(b, s.x));
    CHECK(handles_in_use(segment) == (redeemed ? 2 : 1));
}

// --- who is not there -------------------------------------------------------------------------------------------------

TEST_CASE("no ticket is made for a process that is dead or was never attached, and nothing is left of the attempt",
          "[DUP-8][ERR-2]")
{
    test::scratch_segment segment;
    stream s(segment, either_family());
    ss::process_id target;

    SECTION("dead and not swept")
    {
        test::peer b(segment.name());
        target = s.target_id(b);
        s.socket.duplicate(target); // a connection to its mailbox is kept
        end(b);
    }
    SECTION("dead and swept")
    {
        test::peer b(segment.name());
        target = s.target_id(b);
        end(b);
        CHECK(segment->sweep() == 1);
    }
    SECTION("detached")
    {
        const ss::segment gone = ss::segment::open(segment.name());
        target                 = gone.self();
    }
    SECTION("an earlier tenant of a place in use")
    {
        target = segment->self();
        target.generation -= 1;
    }
    SECTION("a place that was never used") { target = {7, 1}; }
    SECTION("a place that does not exist") { target = {1'000, 1}; }
    SECTION("nobody") { target = {}; }

    segment->sweep();
    const std::size_t before = descriptors_of(::getpid());
    ss::error_code ec;
    CHECK(s.socket.duplicate(target, ec) == ss::ticket());
    CHECK(ec == ss::errc::target_gone);
    CHECK(ec == std::errc::no_such_process);
    CHECK(s.socket.handles().size() == 1);
    CHECK(handles_in_use(segment) == 1);
    CHECK(descriptors_of(::getpid()) <= before);
}

TEST_CASE("a target that dies takes the tickets that wait for it along", "[DUP-8][DUP-14][fault-66]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    stream s(segment, either_family());
    for (int i = 0; i < 5; ++i)
        s.ticket_for(b);
    if (GENERATE(true, false)) REQUIRE(b.ask("poll_segment") == "ok"); // in its queue, or in its hands
    s.socket.close();
    CHECK(s.x.quiet());
    end(b);
    CHECK(s.x.ended());
    CHECK(segment->sweep() == 1);
    CHECK(sockets_in_use(segment) == 0);
    CHECK(handles_in_use(segment) == 0);
}

TEST_CASE("a source that dies leaves its tickets and what came of them", "[DUP-7]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    const std::string ticket = a.ask("duplicate h " + b.pid());
    SECTION("before the redemption")
    {
        end(a);
        segment->sweep();
        CHECK(b.ask("redeem h " + ticket) == "ok");
    }
    SECTION("after it")
    {
        CHECK(b.ask("redeem h " + ticket) == "ok");
        end(a);
        segment->sweep();
    }
    CHECK(s.x.quiet());
    CHECK(talk(b, s.x));
    CHECK(b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

// --- for a process that has not attached yet ----------------------------------------------------------------------------

TEST_CASE("a process that was just spawned redeems when it has attached", "[DUP-3]")
{
    test::scratch_segment segment;
    stream s(segment, either_family());
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    CHECK(ticket.target_pid == b.pid());
    CHECK_FALSE(ticket.target);
    CHECK(s.socket.handles().size() == 2);
    CHECK(redeem(b.peer, ticket) == foreign_segment);

    SECTION("where it may take the descriptor itself") { CHECK(redeem(b.attach(), ticket) == "ok"); }
    SECTION("though another process tried before it")
    {
        test::peer c(segment.name());
        CHECK(redeem(c, ticket) == wrong_process);
        CHECK(redeem(b.attach(), ticket) == "ok");
    }
    CHECK(talk(b.peer, s.x));
    CHECK(redeem(b.peer, ticket, "g") == used);
    CHECK(s.socket.handles().size() == 2);
    s.socket.close();
    CHECK(talk(b.peer, s.x));
    CHECK(b.peer.ask("close h") == "ok");
    segment->poll();
    CHECK(s.x.ended());
}

TEST_CASE("a ticket for a spawned process needs a source that serves where ptrace is not allowed", "[DUP-3]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.attach().ask("untraceable") == "ok");

    SECTION("which does") { CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok"); }
    SECTION("which does not at first")
    {
        CHECK(b.peer.ask("redeem h " + ticket) == nobody_serves);
        CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok"); // it was not used up
    }
    CHECK(talk(b.peer, s.x));
    CHECK(a.ask("close h") == "ok");
    CHECK(a.ask("poll_segment") == "ok");
    CHECK(b.peer.ask("close h") == "ok");
    CHECK(b.peer.ask("poll_segment") == "ok"); // what came too late is dropped
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("the source of a ticket for a spawned process may close its handle at once", "[DUP-6]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("close h") == "ok");
    CHECK(s.x.quiet());
    SECTION("where ptrace is allowed") { CHECK(b.attach().ask("redeem h " + ticket) == "ok"); }
    SECTION("where it serves")
    {
        REQUIRE(a.ask("untraceable") == "ok");
        REQUIRE(b.attach().ask("untraceable") == "ok");
        CHECK(served_by(a, b.peer, "redeem h " + ticket) == "ok");
    }
    CHECK(talk(b.peer, s.x));
    CHECK(b.peer.ask("close h") == "ok");
    CHECK(a.ask("poll_segment") == "ok"); // it keeps nothing for a ticket that is used up
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a ticket for a spawned process dies with its source", "[DUP-3]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(b.attach().ask("self") != "nobody");

    SECTION("that nobody redeemed")
    {
        end(a);
        CHECK(s.x.ended());
        CHECK(b.peer.ask("redeem h " + ticket) == used);
        segment->sweep();
    }
    SECTION("and what came of it does not")
    {
        CHECK(b.peer.ask("redeem h " + ticket) == "ok");
        end(a);
        CHECK(segment->sweep() == 1);
        CHECK(talk(b.peer, s.x));
        CHECK(b.peer.ask("close h") == "ok");
        CHECK(s.x.ended());
    }
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a ticket for a spawned process that never attaches ends with it, or by revocation", "[DUP-8]")
{
    test::scratch_segment segment;
    test::peer a(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    newcomer b(segment.name());
    const std::string ticket = a.ask("duplicate h " + b.peer.pid() + " pid");
    REQUIRE(a.ask("close h") == "ok");

    SECTION("its death")
    {
        end(b.peer);
        CHECK(test::eventually([&] {
            a.ask("poll_segment");
            return sockets_in_use(segment) == 0;
        }));
    }
    SECTION("a revocation, after which its source drops the descriptor when it looks")
    {
        CHECK(segment->revoke(ss::ticket::from_text(ticket)));
        CHECK(b.attach().ask("redeem h " + ticket) == used);
        CHECK(a.ask("poll_segment") == "ok");
    }
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a pid that was used again does not get the ticket", "[DUP-3][fault-34]")
{
    test::scratch_segment segment;
    stream s(segment);
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    // As if it had been made for an earlier process of this pid.
    segment->attachment()->member()->bytes().handle(ticket.handle)->target_start_time -= 1;
    CHECK(redeem(b.attach(), ticket) == wrong_process);
}

TEST_CASE("a ticket by pid for a process that has attached is an ordinary one", "[DUP-3]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    stream s(segment);
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.process().pid());
    CHECK(ticket.target == s.target_id(b));
    s.socket.close();
    CHECK(redeem(b, ticket) == "ok");
    CHECK(talk(b, s.x));
}

// --- full ---------------------------------------------------------------------------------------------------------------

TEST_CASE("a target that does not look gets as many tickets as its box holds, and then all are good",
          "[ERR-2][fault-43]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 4, .handles = 4'096});
    test::peer b(segment.name());
    stream s(segment, either_family());
    const ss::process_id target = s.target_id(b);
    std::vector<ss::ticket> tickets{s.socket.duplicate(target)};
    const std::size_t before = descriptors_of(::getpid());
    ss::error_code ec;
    while (!ec && tickets.size() < 4'000) {
        const ss::ticket one = s.socket.duplicate(target, ec);
        if (!ec) tickets.push_back(one);
    }
    REQUIRE(ec == ss::errc::mailbox_full);
    CHECK(ec == std::errc::no_buffer_space);
    CHECK(tickets.size() >= 200);
    for (int again = 0; again < 50; ++again) {
        s.socket.duplicate(target, ec);
        CHECK(ec == ss::errc::mailbox_full);
    }
    CHECK(s.socket.handles().size() == tickets.size() + 1);
    CHECK(handles_in_use(segment) == tickets.size() + 1);
    CHECK(descriptors_of(::getpid()) == before);

    REQUIRE(b.ask("poll_segment") == "ok");
    tickets.push_back(s.socket.duplicate(target)); // there is room again
    s.socket.close();
    for (const ss::ticket& one : tickets) {
        REQUIRE(redeem(b, one) == "ok"); // the handle of the last one goes with its name
        REQUIRE(redeem(b, one, "g") == used);
    }
    CHECK(talk(b, s.x));
    CHECK(b.ask("drop h") == "ok");
    CHECK(s.x.ended());
    CHECK(handles_in_use(segment) == 0);
}

TEST_CASE("with few descriptors left a redemption succeeds or leaves the ticket good", "[DUP-9][fault-40]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    stream s(segment, either_family());
    const ss::ticket first = s.ticket_for(b), second = s.ticket_for(b);
    s.socket.close();
    bool redeemed = false;
    for (int room = 0; room < 8 && !redeemed; ++room) {
        REQUIRE(b.ask("limit_descriptors " + std::to_string(room)) == "ok");
        const std::string answer = redeem(b, first);
        INFO("room for " << room << ": " << answer);
        CHECK((answer == "ok" || answer == no_descriptors));
        redeemed = answer == "ok";
        REQUIRE(b.ask("limit_descriptors off") == "ok");
        CHECK(s.x.quiet(0ms));
    }
    CHECK(redeemed);
    CHECK(talk(b, s.x));
    CHECK(redeem(b, second, "g") == "ok");
    CHECK(b.ask("close h") == "ok");
    CHECK(b.ask("close g") == "ok");
    CHECK(s.x.ended()); // no copy was left anywhere
}

TEST_CASE("a ticket for a spawned process is not lost for want of descriptors", "[DUP-9]")
{
    test::scratch_segment segment;
    stream s(segment);
    newcomer b(segment.name());
    const ss::ticket ticket = s.socket.duplicate_for_pid(b.pid());
    b.attach();
    REQUIRE(b.peer.ask("limit_descriptors 0") == "ok");
    CHECK(redeem(b.peer, ticket) == no_descriptors);
    REQUIRE(b.peer.ask("limit_descriptors off") == "ok");
    CHECK(redeem(b.peer, ticket) == "ok");
    CHECK(talk(b.peer, s.x));
}

TEST_CASE("a source without a descriptor left says so, and nothing is left of the attempt", "[ERR-2]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream s(segment);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    REQUIRE(a.ask("limit_descriptors 0") == "ok");
    CHECK(a.ask("duplicate h " + b.pid()) == no_descriptors);
    CHECK(handles_in_use(segment) == 1);
    REQUIRE(a.ask("limit_descriptors off") == "ok");
    CHECK(b.ask("redeem h " + a.ask("duplicate h " + b.pid())) == "ok");
    REQUIRE(a.ask("limit_descriptors 0") == "ok");
    CHECK(b.ask("redeem g " + a.ask("duplicate h " + b.pid())) == "ok"); // the way to B is open already
}

// --- names --------------------------------------------------------------------------------------------------------------

TEST_CASE("a published socket is opened by name, from any holder", "[DUP-1]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream s(segment, either_family());
    segment->publish("line", s.socket);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    s.socket.close();
    CHECK(a.ask("open_published g other") == not_published);

    SECTION("where it may take the descriptor itself") { CHECK(b.ask("open_published h line") == "ok"); }
    SECTION("where the holder serves")
    {
        REQUIRE(a.ask("untraceable") == "ok");
        REQUIRE(b.ask("untraceable") == "ok");
        CHECK(served_by(a, b, "open_published h line") == "ok");
    }
    SECTION("by a process that has attached since")
    {
        test::peer late(segment.name());
        CHECK(late.ask("open_published h line") == "ok");
        REQUIRE(late.ask("close h") == "ok");
        CHECK(b.ask("open_published h line") == "ok");
    }
    SECTION("by a holder, from itself")
    {
        CHECK(a.ask("open_published g line") == "ok");
        REQUIRE(b.ask("redeem h " + a.ask("duplicate g " + b.pid())) == "ok");
        REQUIRE(a.ask("drop g") == "ok");
    }
    CHECK(talk(b, s.x));
    CHECK(b.ask("id h") == a.ask("id h"));
    CHECK(b.ask("handles h").substr(0, 2) == "2 ");
    CHECK(a.ask("close h") == "ok");
    CHECK(talk(b, s.x));
    CHECK(b.ask("close h") == "ok");
    CHECK(s.x.ended());
    CHECK(b.ask("open_published h line") == not_published); // the name goes with the last handle
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a serving thread answers for a published socket", "[DUP-1]")
{
    test::scratch_segment segment;
    test::peer b(segment.name());
    stream s(segment, either_family());
    segment->publish("line", s.socket);
    REQUIRE(b.ask("untraceable") ==
            "ok"); // and this process is not: as root it has more rights than B, as others it has none
    CHECK(served_by(*segment, b, "open_published h line") == "ok");
    CHECK(talk(b, s.x));
}

TEST_CASE("a name whose only holder has died is no name, and no time is spent on it", "[fault-19]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    end(a);
    CHECK(s.x.ended());
    if (GENERATE(true, false)) segment->sweep();
    CHECK(b.ask("open_published h line") == not_published);
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a holder that has died or stands still does not hide one that serves", "[fault-19][fault-12]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name()), c(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(redeem(c, s.ticket_for(c)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    for (test::peer* one : {&a, &b, &c})
        REQUIRE(one->ask("untraceable") == "ok");
    const bool stopped = GENERATE(true, false);
    if (stopped)
        a.process().stop();
    else
        end(a);
    CHECK(served_by(c, b, "open_published h line") == "ok");
    CHECK(talk(b, s.x));
    if (stopped) a.process().resume();
}

TEST_CASE("holders that all stand still are waited for in vain, and what they send too late is dropped", "[fault-12]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream s(segment, either_family());
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    s.socket.close();
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.ask("untraceable") == "ok");
    a.process().stop();
    const auto begin = std::chrono::steady_clock::now();
    CHECK(b.ask("open_published h line") == nobody_serves);
    CHECK(std::chrono::steady_clock::now() - begin >= ss::segment_options().patience);
    a.process().resume();
    CHECK(a.ask("poll_segment") == "ok"); // answers the request of then
    CHECK(a.ask("close h") == "ok");
    CHECK(b.ask("open_published h line") == not_published);
    CHECK(s.x.ended());
    CHECK(sockets_in_use(segment) == 0);
}

TEST_CASE("a process that waits for a holder goes on with everything else in its other threads", "[DUP-15]")
{
    test::scratch_segment segment({.sockets = 8, .processes = 8});
    test::peer a(segment.name());
    // One that is patient for so long that to wait for it would be seen.
    const ss::segment patient = ss::segment::open(segment.name(), {.patience = 60s});
    stream s(segment), other(segment);
    REQUIRE(redeem(a, s.ticket_for(a)) == "ok");
    REQUIRE(a.ask("publish h line") == "ok");
    const ss::ticket ticket = other.socket.duplicate(patient.self());
    s.socket.close();
    const auto rights =
        segment->attachment()->member()->bytes().process(segment->find_process(a.process().pid())->index);
    rights->pid_namespace += 1; // as if in another one: then there is no way but to ask
    a.process().stop();
    auto opened = std::async(std::launch::async, [&] { return ss::shared_socket::open_published(patient, "line"); });
    // The request is on its way when it lies in A's box, which A cannot read; nothing shows it, so try for a while.
    for (const test::deadline end(300ms); !end.passed();) {
        auto one = ss::shared_socket::open(patient, AF_INET, SOCK_STREAM);
        CHECK(one.handles().size() == 1);
    }
    CHECK(ss::shared_socket::redeem(patient, ticket).send("y") == 1); // its letter came to the same box
    CHECK(other.x.receive(1) == "y");
    CHECK(opened.wait_for(0s) == std::future_status::timeout);
    a.process().resume();
    REQUIRE(test::eventually(
        [&] { return a.ask("poll_segment") == "ok" && opened.wait_for(0s) == std::future_status::ready; }));
    auto socket = opened.get();
    CHECK(socket.send("z") == 1);
    CHECK(s.x.receive(1) == "z");
}

TEST_CASE("two processes that ask each other at the same time both get their answer", "[DUP-15]")
{
    test::scratch_segment segment;
    test::peer a(segment.name()), b(segment.name());
    stream one(segment), two(segment);
    REQUIRE(redeem(a, one.ticket_for(a)) == "ok");
    REQUIRE(redeem(b, two.ticket_for(b)) == "ok");
    segment->publish("one", one.socket);
    segment->publish("two", two.socket);
    one.socket.close();
    two.socket.close();
    REQUIRE(a.ask("untraceable") == "ok");
    REQUIRE(b.ask("untraceable") == "ok");
    for (int round = 0; round < 100; ++round) {
        a.process().tell("open_published g two");
        b.process().tell("open_published g one");
        a.process().tell("poll_segment"); // who has its answer first serves the other
        b.process().tell("poll_segment");
        REQUIRE(a.process().line() == "ok");
        REQUIRE(b.process().line() == "ok");
        REQUIRE(a.process().line() == "ok");
        REQUIRE(b.process().line() == "ok");
    }
}
