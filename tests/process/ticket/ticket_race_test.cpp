// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Tickets that several threads or processes use at the same time, or early.
#include "process/shared_stream.hpp"
#include "process/ticket/ticket_words.hpp"
#include "socket/offer.hpp"
#include "support/records_in_use.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <poll.h>

namespace ss = sharedsock;
using test::either_family;
using test::id_of;
using test::records_in_use;
using test::shared_stream;
using test::used;

TEST_CASE("of a revocation and a redemption at the same time exactly one succeeds", "[DUP-4][DUP-8]")
{
    test::scratch_segment segment;
    test::peer b(segment.name()), c(segment.name());
    shared_stream s(segment, either_family());
    int redeemed = 0, revoked = 0;
    for (int round = 0; round < 1000; ++round) {
        const std::string ticket = s.ticket_for(b).to_text();
        // The process that is told first has a head start, so they take turns.
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
    CHECK(records_in_use(segment) == 1);
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
            role.say(std::to_string(redeemed) + " redeemed, " + std::to_string(refused) + " refused, " + std::to_string(other) +
                     " other");
            continue;
        }
        if (*line == "ask others") {
            test::hide_descriptor_numbers(segment);
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
    shared_stream s(segment, either_family());
    test::child_process racing("two threads redeem the same tickets in opposite orders", {segment.name()});
    racing.wait_for("ready");
    const ss::process_id target = segment->find_process(racing.pid()).value();
    racing.tell("ask others"); // none of those serves
    const auto begin = std::chrono::steady_clock::now();
    for (int batch = 0; batch < 10; ++batch) {
        for (int i = 0; i < 100; ++i)
            racing.tell(s.socket.duplicate(target).to_text());
        REQUIRE(racing.ask("go") == "done");
    }
    CHECK(std::chrono::steady_clock::now() - begin < test::patience); // a wait in vain for a descriptor is a second each
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
    shared_stream s(segment, either_family());
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

TEST_CASE("a ticket whose message has arrived is redeemed at once, though its source was stopped before it committed",
          "[DUP-2][G7]")
{
    test::scratch_segment segment;
    shared_stream s(segment, either_family());
    test::peer b(segment.name());
    const ss::process_id target = id_of(segment, b);
    const auto& of              = *s.socket.impl();
    auto& where                 = *segment->attachment();
    auto& self                  = *where.member();

    // The steps of `duplicate`, up to the message.
    constexpr std::uint64_t nonce = 4710;
    ss::error_code ec;
    const auto record = self.prepare_offer(of.socket(), nonce, target, ec);
    REQUIRE_FALSE(ec);
    using ss::detail::mail_message;
    where.box().send(target.index, make_offer(mail_message::kind::offer, of, self, {record, nonce}, target), of.fd(), ec);
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
    CHECK(self.commit_offer({of.socket(), record}, target)); // the source goes on
    CHECK(redeem(b, value, "again") == used);
    if (redeemed) CHECK(talk(b, s.x));
    CHECK(records_in_use(segment) == (redeemed ? 2 : 1));
}
