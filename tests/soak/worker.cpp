// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// One process of the soak: makes any call on any socket until it is killed or told to end.
#include "soak/ledger.hpp"
#include "support/descriptors.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <boost/asio/socket_base.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace {

namespace ss = sharedsock;
using namespace std::chrono_literals;

class worker {
public:
    worker(test::role_context& role, soak::shared_ledger& shared)
        : role_(role),
          ledger_(shared),
          desk_(ledger_->desks[std::stoul(role.args.at(2))]),
          random_(std::stoul(role.args.at(3))),
          segment_(ss::segment::open(role.args.at(0), options(role)))
    {
        held_.resize(soak::sockets);
        for (auto& count : desk_.handles)
            count = 0;
        desk_.in_hand = 0;
    }

    // Of two workers one gives up on a lock long before a stopped process goes on.
    static ss::segment_options options(const test::role_context& role)
    {
        ss::segment_options result;
        result.directory = role.args.at(1);
        result.patience  = std::stoul(role.args.at(2)) % 2 == 0 ? 1ms : 200ms;
        return result;
    }

    int work()
    {
        role_.say("works");
        while (!ledger_->end.load()) {
            if (const std::uint32_t round = ledger_->quiet.load(); round % 2 == 1)
                keep_quiet(round);
            else
                act(any(soak::sockets));
        }
        for (std::uint32_t i = 0; i < soak::sockets; ++i)
            close(i);
        while (!segment_.waiting_tickets().empty())
            redeem();
        for (std::uint32_t i = 0; i < soak::sockets; ++i)
            close(i);
        return 0;
    }

private:
    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

    // Whether the call succeeded. Errors that the random course of things may bring are counted; any other is a finding.
    bool went_well(const ss::error_code& ec, const char* what)
    {
        desk_.operations.fetch_add(1, std::memory_order_relaxed);
        if (!ec) return true;
        desk_.refused.fetch_add(1, std::memory_order_relaxed);
        for (const ss::errc allowed :
             {ss::errc::fence_pending, ss::errc::lock_timeout, ss::errc::not_the_owner, ss::errc::target_gone,
              ss::errc::mailbox_full, ss::errc::ticket_used, ss::errc::handle_table_full, ss::errc::socket_table_full,
              ss::errc::no_serving_holder, ss::errc::ticket_descriptor_lost, ss::errc::name_not_published,
              ss::errc::registration_cancelled})
            if (ec == allowed) return false;
        if (ec == std::errc::operation_would_block || ec == std::errc::resource_unavailable_try_again) return false;
        std::snprintf(desk_.finding, sizeof desk_.finding, "%s: %s", what, ec.message().c_str());
        throw std::runtime_error(desk_.finding);
    }

    ss::network_event mask(std::uint32_t i) const
    {
        return i == soak::listener ? ss::network_event::accept : ss::network_event::read | ss::network_event::close;
    }

    void act(std::uint32_t i)
    {
        if (any(16) == 0) return make_own();
        if (any(8) == 0) return redeem();
        if (!held_[i].is_open()) return open(i);
        ss::error_code ec;
        switch (any(10)) {
        case 0:
            held_[i].event_select(ready_, mask(i), {.fence_limit = std::chrono::milliseconds(any(20))}, ec);
            break;
        case 1:
            held_[i].stand_by(ready_, mask(i), {}, ec);
            break;
        case 2:
            held_[i].pass_on(ec);
            break;
        case 3:
            held_[i].cancel_registration(ec);
            break;
        case 4:
            return any(3) == 0 ? close(i) : collect(i);
        case 5:
            return take(i);
        case 6:
            return send_ticket(i);
        case 7:
            held_[i].set_option(boost::asio::socket_base::receive_buffer_size(65536), ec);
            break;
        case 8:
            (void)held_[i].registration();
            (void)held_[i].handles();
            break;
        default:
            return collect(i);
        }
        went_well(ec, "an event call");
    }

    void make_own()
    {
        ss::error_code ec;
        std::vector<ss::shared_socket> own;
        for (auto count = 1 + any(8); count > 0; --count) {
            own.push_back(ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec));
            if (!went_well(ec, "open")) return;
            desk_.made.fetch_add(1, std::memory_order_relaxed);
        }
    }

    void open(std::uint32_t i)
    {
        ss::error_code ec;
        ss::shared_socket opened = ss::shared_socket::open_published(segment_, "s" + std::to_string(i), ec);
        if (went_well(ec, "open_published")) keep(i, std::move(opened));
    }

    void keep(std::uint32_t i, ss::shared_socket&& opened)
    {
        close(i);
        held_[i]         = std::move(opened);
        desk_.handles[i] = 1;
    }

    void close(std::uint32_t i)
    {
        if (!held_[i].is_open()) return;
        ss::error_code ec;
        held_[i].close(ec);
        went_well(ec, "close");
        held_[i]         = {};
        desk_.handles[i] = 0;
    }

    void send_ticket(std::uint32_t i)
    {
        const auto all              = segment_.processes();
        const ss::process_id target = all.at(any(static_cast<std::uint32_t>(all.size()))).id;
        ss::error_code ec;
        const ss::ticket made = held_[i].duplicate(target, ec);
        if (went_well(ec, "duplicate") && any(2) == 0) {
            segment_.revoke(made, ec);
            went_well(ec, "revoke");
        }
    }

    void redeem()
    {
        for (const ss::waiting_ticket& waiting : segment_.waiting_tickets()) {
            ss::error_code ec;
            ss::shared_socket redeemed = ss::shared_socket::redeem(segment_, waiting.value, ec);
            if (!went_well(ec, "redeem")) continue;
            std::uint32_t i = 0;
            while (i < soak::sockets && ledger_->socket_id[i] != redeemed.id())
                ++i;
            if (i < soak::sockets) keep(i, std::move(redeemed));
        }
    }

    // Takes a little; the bytes in hand are in the ledger before they are taken.
    bool take_some(std::uint32_t i)
    {
        ss::error_code ec;
        desk_.in_hand       = i + 1;
        std::uint64_t taken = 0;
        if (i == soak::listener) {
            const ss::shared_socket accepted = held_[i].accept(ec);
            taken = !ec || ec == ss::errc::handle_table_full || ec == ss::errc::socket_table_full ? 1 : 0; // without room it ends
        } else {
            std::byte room[soak::chunk];
            taken = held_[i].receive(room, MSG_DONTWAIT, ec);
        }
        ledger_->received[i].fetch_add(taken);
        desk_.in_hand = 0;
        return went_well(ec, "receive") && taken != 0;
    }

    void take(std::uint32_t i)
    {
        if (i == soak::listener && held_[i].blocking()) return; // no process has registered yet: accept would wait
        take_some(i);
    }

    void collect(std::uint32_t i)
    {
        ss::error_code ec;
        const ss::network_events happened = held_[i].enum_network_events(&ready_, ec);
        if (!went_well(ec, "enum_network_events")) return;
#ifdef SHAREDSOCK_SOAK_FORGETFUL // for the control of the judge: events are collected, and their data is not read
        if (any(4) != 0) return;
#endif
        if (happened.has(ss::network_event::read) || happened.has(ss::network_event::accept))
            while (take_some(i)) {
            }
    }

    // Sleeps until an event comes, or for a moment, to see whether the quiet is over.
    void keep_quiet(std::uint32_t round)
    {
        redeem();
        desk_.settled = round;
        while (ledger_->quiet.load() == round) {
            segment_.poll(); // a handle whose socket was locked by a stopped process when it was closed ends here
            if (!ready_.wait(20ms)) continue;
            for (std::uint32_t i = 0; i < soak::sockets; ++i)
                if (held_[i].is_open()) collect(i);
        }
    }

    test::role_context& role_;
    soak::shared_ledger& ledger_;
    soak::ledger::desk& desk_;
    std::mt19937 random_;
    ss::segment segment_;
    ss::event_object ready_;
    std::vector<ss::shared_socket> held_;
};

} // namespace

/// args: segment, directory, which worker, seed, ledger.
SHAREDSOCK_CHILD_ROLE("does anything with any socket")
{
    soak::shared_ledger shared(role.args.at(4));
    const std::size_t before = test::open_descriptors();
    {
        worker one(role, shared);
        one.work();
    }
    const std::size_t after = test::open_descriptors();
    role.say(after == before ? "nothing is left open"
                             : std::to_string(after) + " descriptors instead of " + std::to_string(before));
    return 0;
}
