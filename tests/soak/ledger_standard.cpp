// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A process that was started with descriptors 0 to 2 closed, and that writes to standard error as any program does.
#include "soak/ledger_worker.hpp"

#include <sharedsock/prefork.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ledger {

namespace {

class standard final : public worker {
public:
    standard(const assignment& told, shared_books& kept) : worker(told, kept) { complain("attached"); }

private:
    void act() override
    {
        clear();
        for (auto steps = 1 + any(20); steps > 0; --steps)
            step();
        if (any(3) == 0 && !without("forks"))
            fork_child(
                [&] {
                    complain("forked");
                    if (any(2) == 0) step();
                },
                any(2) == 0 ? ending::at_once : ending::in_order, "calls with 0 to 2 closed");
        if (any(6) == 0) supervise();
    }

    void step()
    {
        ss::error_code ec;
        const char* what = "";
        switch (any(11)) {
        case 0:
            what = "open_published";
            opened_.push_back(open_line(any(lines)));
            break;
        case 1:
            what = "open";
            opened_.push_back(ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec));
            break;
        case 2:
            what = "an event object";
            objects_.push_back(std::make_unique<ss::event_object>());
            break;
        case 3:
            what = "event_select";
            if (opened_.empty() || objects_.empty()) return;
            opened_.back().stand_by(*objects_.back(), ss::network_event::read, {}, ec);
            if (ec == ss::errc::closed_handle) ec = {};
            break;
        case 4:
            what = "native_handle of the segment";
            (void)segment_.native_handle();
            segment_.poll();
            break;
        case 5:
            what = "hand_over_handle";
            (void)ss::hand_over_handle(segment_, ec);
            break;
        case 6:
            what = "listen and accept";
            accept();
            break;
        case 7:
            what = "duplicate and redeem";
            if (opened_.empty() || !opened_.back().is_open()) return;
            if (const ss::ticket made = opened_.back().duplicate(segment_.self(), ec); !ec)
                opened_.push_back(ss::shared_socket::redeem(segment_, made, ec));
            break;
        case 8:
            what     = "another attachment";
            another_ = attach_again();
            break;
        case 9:
            what = "a hand-over with a large carry";
            give_large();
            break;
        default:
            what = "serve_in_thread";
            (void)segment_.serve_in_thread();
        }
        went_well(ec, what);
        complain(what);
    }

    void accept()
    {
        ss::error_code ec;
        auto listener         = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec);
        const auto at         = listener.local_address();
        ss::shared_socket one = ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec);
        one.connect(at, ec);
        complain("connect");
        opened_.push_back(listener.accept(ec));
        went_well(ec, "accept");
    }

    // More than 16 KiB travel in a descriptor of their own.
    void give_large()
    {
        const std::vector<std::byte> bytes(40'000);
        const std::uint32_t tag = new_parcel(segment_.self());
        ss::error_code ec;
        auto given = ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM, 0, ec);
        ss::hand_over_unacknowledged(std::move(given), segment_.self(), {bytes, tag}, ec);
        parcel_given(tag, ec);
        complain("hand_over");
        receive_all(segment_);
    }

    // Workers that another program is executed in get its 0 to 2 as they are here: closed.
    void supervise()
    {
        ss::prefork::options how{.workers = 1};
        ss::prefork::program what;
        what.arguments  = {"ledger", "--child", "ends with 7 if 0 to 2 are open"};
        what.cooperates = false;
        std::string outcome;
        how.on_change = [&](const ss::prefork::worker_status& now) {
            if (now.last_exit && outcome.empty()) outcome = to_string(*now.last_exit);
        };
        ss::prefork::supervisor workers(how, what);
        complain("a supervisor");
        workers.start();
        for (int rounds = 0; outcome.empty() && rounds < 500; ++rounds) {
            pollfd ready{workers.native_handle(), POLLIN, 0};
            ::poll(&ready, 1, 10);
            ss::error_code ec;
            workers.poll(ec);
        }
        complain("a worker executed");
        if (outcome.find('7') != std::string::npos)
            find("a program that was executed by a supervisor with descriptors 0 to 2 closed has one of them open (%s)",
                 outcome.c_str());
    }

    // Writes to standard error as other code of a program does. A descriptor of the library in that place would take the text.
    void complain(const char* after)
    {
        for (const int number : {0, 1, 2}) {
            if (::fcntl(number, F_GETFD) < 0) continue;
            char path[64], target[200] = {};
            std::snprintf(path, sizeof path, "/proc/self/fd/%d", number);
            if (::readlink(path, target, sizeof target - 1) < 0) target[0] = '?';
            find("started with descriptors 0 to 2 closed; after %s descriptor %d is %s, and the next line to standard error would "
                 "go there",
                 after, number, target);
        }
        static constexpr char text[] = "warning: something happened that this program has to say\n";
        if (::write(2, text, sizeof text - 1) >= 0 || errno != EBADF)
            find("a line to standard error went somewhere after %s", after);
    }

    void rest() override
    {
        clear();
        pause();
    }

    void clear()
    {
        opened_.clear();
        objects_.clear();
        another_ = {};
    }

    void let_go() override { clear(); }

    std::vector<ss::shared_socket> opened_;
    std::vector<std::unique_ptr<ss::event_object>> objects_;
    ss::segment another_;
};

} // namespace

std::unique_ptr<worker> make_standard(const assignment& told, shared_books& kept) { return std::make_unique<standard>(told, kept); }

} // namespace ledger

/// The program that a supervisor executes. A null device in the place of a standard descriptor is allowed.
SHAREDSOCK_CHILD_ROLE("ends with 7 if 0 to 2 are open")
{
    for (const int number : {0, 1, 2}) {
        char path[64], target[200] = {};
        std::snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        if (::readlink(path, target, sizeof target - 1) > 0 && std::string(target) != "/dev/null") return 7;
    }
    return 0;
}
