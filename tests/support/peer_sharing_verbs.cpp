// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that give handles to other processes, and get them: tickets, hand-overs, published names.
#include "support/carry_pattern.hpp"
#include "support/deadline.hpp"
#include "support/peer_state.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace test {

void peer_state::add_sharing_verbs()
{
    add("duplicate", [this](words& line, ss::error_code& ec) {
        const auto h             = socket(line);
        const std::string target = line.next("target");
        const auto pid           = target == "self" ? ::getpid() : words::to_number<std::int32_t>(target);
        if (line.maybe()) return h->duplicate_for_pid(pid, ec).to_text();
        const auto who = target == "self" ? segment_.self() : segment_.find_process(pid).value_or(ss::process_id());
        return h->duplicate(who, ec).to_text();
    });
    struct parcel {
        ss::process_id target;
        std::uint64_t tag;
        std::vector<std::byte> bytes;
    };
    const auto next_parcel = [this](words& line) -> parcel {
        const std::string target = line.next("target");
        const auto pid           = target == "self" ? ::getpid() : words::to_number<std::int32_t>(target);
        const auto who           = target == "self" ? segment_.self() : segment_.find_process(pid).value_or(ss::process_id());
        const auto tag           = line.number<std::uint64_t>("tag");
        return {who, tag, carry_pattern(tag, line.number<std::size_t>("count"))};
    };
    add("hand_over", [this, next_parcel](words& line, ss::error_code& ec) {
        const auto h   = socket(line);
        const auto one = next_parcel(line);
        ss::hand_over_options how;
        if (const auto limit = line.maybe()) how.limit = std::chrono::milliseconds(words::to_number<std::uint32_t>(*limit));
        ss::hand_over(std::move(*h), one.target, {one.bytes, one.tag}, how, ec);
    });
    add("hand_over_unacknowledged", [this, next_parcel](words& line, ss::error_code& ec) {
        const auto h   = socket(line);
        const auto one = next_parcel(line);
        ss::hand_over_unacknowledged(std::move(*h), one.target, {one.bytes, one.tag}, ec);
    });
    add("begin_hand_over", [this, next_parcel](words& line, ss::error_code& ec) {
        const auto h   = socket(line);
        const auto one = next_parcel(line);
        given_         = ss::pending_hand_over(std::move(*h), one.target, {one.bytes, one.tag}, ec);
    });
    add("hand_over_state", [this](words&, ss::error_code& ec) -> std::string {
        const char* const names[] = {"pending", "taken", "returned"};
        return names[static_cast<int>(given_.state(ec))];
    });
    add("take_back", [this](words& line, ss::error_code& ec) -> std::string {
        const std::string name = line.next("handle");
        auto back              = given_.take_back(ec);
        if (!back.is_open()) return ec ? "" : "taken";
        keep(name, std::move(back), ec);
        return "ok";
    });
    add("decline_hand_over", [this](words&, ss::error_code& ec) -> std::string {
        const auto next = ss::peek_hand_over(segment_, ec);
        if (!next) return ec ? "" : "none";
        const bool done = ss::decline_hand_over(segment_, *next, ec);
        return (done ? "tag=" : "gone ") + std::to_string(next->tag) + " count=" + std::to_string(next->bytes);
    });
    add("leave", [this](words&, ss::error_code&) {
        sockets_.clear();
        segment_ = {};
    });
    add("refuse_hand_overs", [this](words&, ss::error_code& ec) { ss::refuse_hand_overs(segment_, ec); });
    const auto receive = [this](const std::string& name, ss::error_code& ec) -> std::string {
        auto received = ss::receive_hand_over(segment_, ec);
        if (!received) return ec ? "" : "none";
        keep(name, std::move(received->socket), ec);
        return "tag=" + std::to_string(received->tag) + " count=" + std::to_string(received->bytes.size()) +
               " sum=" + sum_of(received->bytes);
    };
    add("receive_hand_over", [receive](words& line, ss::error_code& ec) { return receive(line.next("handle"), ec); });
    add("wait_hand_over", [this, receive](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        pollfd asked{ss::hand_over_handle(segment_), POLLIN, 0};
        for (;;) {
            if (::poll(&asked, 1, static_cast<int>(patience.count())) != 1) misuse("nothing was handed over");
            if (std::string answer = receive(name, ec); answer != "none") return answer;
        }
    });
    add("redeem", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        const ss::ticket value = ss::ticket::from_text(line.next("ticket"), ec);
        succeed(ec);
        keep(name, ss::shared_socket::redeem(segment_, value, ec), ec);
    });
    add("revoke", [this](words& line, ss::error_code& ec) {
        const ss::ticket value = ss::ticket::from_text(line.next("ticket"), ec);
        succeed(ec);
        return yes_or_no(segment_.revoke(value, ec));
    });
    add("publish", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        segment_.publish(line.next("name"), *h, ec);
    });
    add("open_published", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        keep(name, ss::shared_socket::open_published(segment_, line.next("name"), ec), ec);
    });
    add("handles", [this](words& line, ss::error_code&) {
        const auto all   = socket(line)->handles();
        std::string text = std::to_string(all.size());
        for (const auto& one : all)
            text += " " + to_string(one.process) + (one.ticket ? ":ticket" : "");
        return text;
    });
}

} // namespace test
