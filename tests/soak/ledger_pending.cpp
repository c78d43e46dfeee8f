// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Forks with asynchronous operations pending. Each is the parent's, whether it has reached the reactor or not: it
// completes there once, and never with success in the child.
#include "soak/ledger_operations.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace ledger {

namespace {

class pending final : public worker {
public:
    pending(const assignment& told, shared_books& kept) : worker(told, kept), second_(attach_again()) {}

private:
    void act() override
    {
        asio::io_context io;
        const auto guard = asio::make_work_guard(io); // a handler that is registered is no work of its context
        scene_of here{io,
                      segment_,
                      second_,
                      [this](const char* what) { denounce(what); },
                      [this](ss::process_id target) { return new_parcel(target); },
                      [this](std::uint32_t tag, const ss::error_code& ec) { parcel_given(tag, ec); },
                      [this](ss::handed_over&& got) { parcel_came(std::move(got)); },
                      [this](std::uint32_t tag) { return arrived(tag); },
                      [this] { return depth(); }};
        std::vector<std::unique_ptr<operation>> all;
        std::string names;
        for (auto count = 1 + any(5); count > 0; --count) {
            auto one = make_operation(any(kinds_of_operations), here);
            if (without(one->part()) || names.find(one->name()) != std::string::npos)
                continue; // one serve on a context, one of each
            all.push_back(std::move(one));
            names += (names.empty() ? "" : ", ") + std::string(all.back()->name());
            all.back()->start();
        }
        for (auto turns = any(3); turns > 0; --turns) // some have reached the reactor, some have not
            io.poll_one();
        io.restart();
        const bool told_asio = any(5) != 0;
        for (auto times = 1 + any(2); times > 0; --times)
            fork_with(here, all, names, told_asio);
        finish(here, all, names);
        all.clear();
        io.restart();
        io.poll();
    }

    void rest() override
    {
        receive_all(second_);
        pause();
    }

    void denounce(const char* what) { find("%s", what); }

    void fork_with(scene_of& here, std::vector<std::unique_ptr<operation>>& all, const std::string& names, bool told_asio)
    {
        const auto how  = std::array{ending::at_once, ending::in_order, ending::by_exec}[any(3)];
        const bool anew = any(2) == 0 && !without("receiving");
        const bool tidy = any(3) == 0;
        int way[2];
        if (::pipe2(way, O_CLOEXEC) != 0) return;
        if (told_asio) here.io.notify_fork(asio::execution_context::fork_prepare);
        fork_child(
            [&] {
                ::close(way[0]);
                if (!told_asio) return; // such a child touches nothing of Asio's
                in_child(here, anew, way[1]);
                if (tidy) all.clear();
            },
            how, "pending: " + names, false,
            [&] {
                ::close(way[1]);
                if (told_asio) here.io.notify_fork(asio::execution_context::fork_parent);
                if (told_asio && anew) give_child(way[0]);
                ::close(way[0]);
                for (const auto& each : all)
                    each->provoke();
                here.io.poll();
                here.io.restart();
            });
    }

    void in_child(scene_of& here, bool anew, int way)
    {
        try {
            here.io.notify_fork(asio::execution_context::fork_child);
        } catch (const std::exception& failure) {
            find("notify_fork(fork_child) threw: %s", failure.what());
        }
        if (!anew) {
            here.io.run_for(std::chrono::milliseconds(any(30)));
            return;
        }
        bool came = false;
        ss::async_receive_hand_over(segment_, here.io.get_executor(), [&](ss::error_code ec, ss::handed_over got) {
            if (went_well(ec, "async_receive_hand_over in a child")) parcel_came(std::move(got));
            came = true;
        });
        const std::uint64_t mine = packed(segment_.self());
        if (::write(way, &mine, sizeof mine) != sizeof mine) return;
        for (int rounds = 0; !came && rounds < 500 * test::slowness; ++rounds) {
            here.io.restart();
            here.io.run_for(10ms);
        }
        if (!came) find("a hand-over to the child did not complete the receive that the child had begun");
    }

    void give_child(int way)
    {
        std::uint64_t to = 0;
        pollfd asked{way, POLLIN, 0};
        if (::poll(&asked, 1, 10000) != 1 || ::read(way, &to, sizeof to) != sizeof to) return; // the child has a finding of its own
        own_pair ends;
        for (bool given = false; !given;) {
            ss::error_code ec;
            const std::uint32_t tag  = new_parcel(unpacked(to));
            ss::shared_socket socket = ss::shared_socket::adopt(segment_, ends.give(), ec);
            if (!went_well(ec, "adopt")) return;
            ss::hand_over_unacknowledged(std::move(socket), unpacked(to), {{}, tag}, ec);
            parcel_given(tag, ec);
            given = !ec || ec == ss::errc::target_gone;
            if (!given) ends = own_pair();
        }
    }

    void finish(scene_of& here, std::vector<std::unique_ptr<operation>>& all, const std::string& names)
    {
        const auto open = [&]() -> operation* {
            for (const auto& each : all)
                if (!each->done()) return each.get();
            return nullptr;
        };
        for (int rounds = 0; open() != nullptr; ++rounds) {
            if (rounds == 1000 * test::slowness)
                find("%s, pending at a fork, did not do its work in the parent within 10 s afterwards: %s; pending were %s",
                     open()->name(), open()->state().c_str(), names.c_str());
            for (const auto& each : all)
                each->pursue();
            here.io.restart();
            here.io.run_for(10ms);
            receive_all(second_);
        }
    }

    ss::segment second_;
};

} // namespace

std::unique_ptr<worker> make_pending(const assignment& told, shared_books& kept) { return std::make_unique<pending>(told, kept); }

} // namespace ledger
