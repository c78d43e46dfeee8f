// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Forks after random sequences of calls, while threads work, of forked children, by a raw clone; and the parent's objects are still
// its own afterwards.
#include "soak/ledger_worker.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace ledger {

namespace {

using ne = ss::network_event;

// A connection of the worker's own: both ends are in this process.
struct pair {
    ss::shared_socket near; // of the worker's attachment
    ss::shared_socket twin; // of its second attachment
    int far = -1;
};

class forks final : public worker {
public:
    forks(const assignment& told, shared_books& kept) : worker(told, kept), second_(attach_again()) {}
    ~forks() override { clear(); }

private:
    void act() override
    {
        clear();
        told_of_.clear();
        for (auto steps = 3 + any(25); steps > 0; --steps)
            step();
        const std::uint32_t company = any(3) == 0 && !without("threads") ? 1 + any(2) : 0;
        std::atomic<bool> stop{false};
        std::vector<std::thread> threads;
        for (std::uint32_t each = 0; each < company; ++each)
            threads.emplace_back([&] { make_and_destroy(stop); });
        for (auto times = company != 0 ? 20u : 1 + any(3); times > 0; --times)
            fork_now(company != 0);
        stop = true;
        for (std::thread& each : threads)
            each.join();
        prove_own();
    }

    void rest() override { pause(); }

    void say(const char* what)
    {
        if (told_of_.size() > 300) told_of_ = "... " + told_of_.substr(told_of_.size() - 200);
        told_of_ += told_of_.empty() ? what : std::string(", ") + what;
    }

    void step()
    {
        ss::error_code ec;
        if (pairs_.empty() || any(8) == 0) return make_pair();
        if (objects_.empty() || any(6) == 0) {
            say("event object made");
            objects_.push_back(std::make_unique<ss::event_object>());
            return;
        }
        pair& at                  = pairs_[any(static_cast<std::uint32_t>(pairs_.size()))];
        const auto o              = any(static_cast<std::uint32_t>(objects_.size()));
        ss::event_object& object  = *objects_[o];
        ss::shared_socket& handle = any(2) == 0 && at.twin.is_open() ? at.twin : at.near;
        if (!handle.is_open()) return;
        switch (any(15)) {
        case 0:
        case 1:
            say("event_select");
            handle.event_select(object, ne::read, {.tell_loss = any(2) == 0}, ec);
            break;
        case 2:
            say("stand_by");
            handle.stand_by(object, ne::read, {}, ec);
            break;
        case 3:
            say("pass_on");
            handle.pass_on(ec);
            break;
        case 4:
            say("cancel_registration");
            handle.cancel_registration(ec);
            break;
        case 5:
            say("enum_network_events");
            (void)handle.enum_network_events(nullptr, ec);
            break;
        case 6:
        case 7:
            if (without("destroyed")) return;
            say("event object destroyed");
            objects_.erase(objects_.begin() + o);
            return;
        case 8: {
            if (without("destroyed")) return;
            say("event object moved");
            auto moved = std::make_unique<ss::event_object>(std::move(object));
            objects_[o].swap(moved);
            return;
        }
        case 9:
            say("event object set and reset");
            object.set();
            if (any(2) == 0) object.reset();
            return;
        case 10:
            say("wait");
            (void)object.wait(0ms);
            return;
        case 11:
            say("handle closed");
            handle.close(ec);
            break;
        case 12:
            say("native_handle and poll of the segment");
            (void)segment_.native_handle();
            segment_.poll();
            return;
        case 13:
            if (without("serving")) return;
            say("serve_in_thread");
            serving_ = any(2) == 0 ? segment_.serve_in_thread() : nullptr;
            return;
        default:
            say("ticket redeemed");
            redeem(at);
            return;
        }
        went_well(ec, "a call before a fork");
    }

    void make_pair()
    {
        if (pairs_.size() == 6) return;
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
        say("socket adopted");
        pairs_.push_back({ss::shared_socket::adopt(segment_, ends[0]), {}, ends[1]});
    }

    void redeem(pair& at)
    {
        if (!at.near.is_open()) return;
        ss::error_code ec;
        const ss::ticket made = at.near.duplicate(second_.self(), ec);
        if (!went_well(ec, "duplicate")) return;
        ss::shared_socket redeemed = ss::shared_socket::redeem(second_, made, ec);
        if (went_well(ec, "redeem")) at.twin = std::move(redeemed);
    }

    void make_and_destroy(const std::atomic<bool>& stop)
    {
        while (!stop) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
            ss::error_code ec;
            {
                auto mine = ss::shared_socket::adopt(segment_, ends[0], ec);
                if (ec) {
                    ::close(ends[0]);
                } else {
                    ss::event_object object;
                    mine.event_select(object, ne::read, {}, ec);
                    (void)object.wait(0ms);
                }
            }
            ::close(ends[1]);
        }
    }

    void fork_now(bool company)
    {
        const bool threads = company || serving_ != nullptr; // a raw copy of one thread has the locks of all
        const bool raw     = !threads && any(4) == 0 && !without("clones");
        const auto how     = raw ? ending::at_once : std::array{ending::at_once, ending::in_order, ending::by_exec}[any(4) % 3];
        const bool busy    = any(2) == 0;
        fork_child(
            [&] {
                if (raw) return clear();
                if (!busy) return;
                for (auto steps = any(10); steps > 0; --steps)
                    step();
                if (depth() < 2 && any(2) == 0) fork_now(false);
                if (any(2) == 0) clear();
            },
            how,
            told_of_ + (raw       ? "; a raw clone"
                        : company ? "; threads work"
                                  : ""),
            raw);
    }

    // After all forks: a registration of this process, made now or before them, hears of the bytes that come.
    void prove_own()
    {
        for (pair& at : pairs_) {
            if (!at.near.is_open()) continue;
            const auto registered = at.near.registration();
            if (!registered || registered->handle != at.near.handle_id()) continue;
            if (::send(at.far, "x", 1, MSG_NOSIGNAL) != 1) continue;
            if (!heard(at)) {
                find("a registration made before a fork does not hear of a byte afterwards; before: %s", told_of_.c_str());
            }
        }
    }

    bool heard(pair& at)
    {
        for (int rounds = 0; rounds < 500 * test::slowness; ++rounds) {
            for (const auto& object : objects_)
                (void)object->wait(1ms);
            ss::error_code ec;
            if (at.near.enum_network_events(nullptr, ec).has(ne::read)) return true;
            const auto registered = at.near.registration();
            if (objects_.empty() || !registered || registered->handle != at.near.handle_id())
                return true; // the object was destroyed
        }
        return false;
    }

    void clear()
    {
        serving_.reset();
        objects_.clear();
        for (pair& at : pairs_)
            ::close(at.far);
        pairs_.clear();
    }

    void let_go() override { clear(); }

    ss::segment second_;
    std::shared_ptr<void> serving_;
    std::vector<std::unique_ptr<ss::event_object>> objects_;
    std::vector<pair> pairs_;
    std::string told_of_;
};

} // namespace

std::unique_ptr<worker> make_forks(const assignment& told, shared_books& kept) { return std::make_unique<forks>(told, kept); }

} // namespace ledger
