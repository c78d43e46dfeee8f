// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Other code of a process closes every descriptor from 3 on, and the program uses the numbers again. Afterwards the program's own
// descriptors have to be its own: open, unread, unwritten; and the segment opens anew.
#include "soak/ledger_worker.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ledger {

namespace {

// Descriptors of the program, each of which can tell that other code has used it.
class own_descriptors {
public:
    explicit own_descriptors(std::uint32_t files, std::uint32_t pairs)
    {
        for (std::uint32_t each = 0; each < files; ++each)
            add(::memfd_create("own", MFD_CLOEXEC));
        for (std::uint32_t each = 0; each < pairs; ++each) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
                throw std::system_error(errno, std::generic_category(), "socketpair");
            for (const int end : ends) {
                add(end);
                if (::send(end, text, sizeof text, MSG_NOSIGNAL) != sizeof text)
                    throw std::system_error(errno, std::generic_category(), "send");
            }
        }
    }

    /// Describes the damage; empty if there is none.
    std::string wrong() const
    {
        std::uint32_t closed = 0, other = 0, used = 0;
        int first     = -1;
        bool a_socket = false;
        for (const one& each : all_) {
            struct stat now {};
            if (::fstat(each.number, &now) != 0)
                ++closed;
            else if (now.st_ino != each.inode || now.st_dev != each.device)
                ++other;
            else if (S_ISSOCK(now.st_mode) ? !untouched(each.number) : now.st_size != 0)
                ++used;
            else
                continue;
            if (first < 0) a_socket = each.socket;
            if (first < 0) first = each.number;
        }
        if (first < 0) return {};
        char said[160];
        std::snprintf(
            said, sizeof said,
            "of %zu descriptors of the program %u are closed, %u are others' and %u were read or written (the first is %d, a %s)",
            all_.size(), closed, other, used, first, a_socket ? "socket" : "file");
        return said;
    }

    void close()
    {
        for (const one& each : all_)
            ::close(each.number);
        all_.clear();
    }

private:
    static constexpr char text[] = "the program's";
    struct one {
        int number;
        ino_t inode;
        dev_t device;
        bool socket;
    };

    void add(int number)
    {
        struct stat now {};
        if (number < 0 || ::fstat(number, &now) != 0)
            throw std::system_error(errno, std::generic_category(), "a descriptor of the program");
        all_.push_back({number, now.st_ino, now.st_dev, S_ISSOCK(now.st_mode)});
    }

    static bool untouched(int socket)
    {
        char room[2 * sizeof text];
        return ::recv(socket, room, sizeof room, MSG_PEEK | MSG_DONTWAIT) == sizeof text &&
               std::memcmp(room, text, sizeof text) == 0;
    }

    std::vector<one> all_;
};

class closed final : public worker {
public:
    using worker::worker;

private:
    void act() override
    {
        if (any(3) != 0) { // for a while it is a worker like others
            step();
            return;
        }
        suffer();
    }

    void step()
    {
        ss::error_code ec;
        if (held_.size() < 5) {
            held_.push_back(open_line(any(lines)));
            if (!held_.back().is_open()) held_.pop_back();
            return;
        }
        objects_.push_back(std::make_unique<ss::event_object>());
        ss::shared_socket& one = held_[any(static_cast<std::uint32_t>(held_.size()))];
        one.stand_by(*objects_.back(), ss::network_event::read, {}, ec);
        went_well(ec, "stand_by");
        if (any(2) == 0) (void)segment_.native_handle();
        if (any(2) == 0) (void)ss::hand_over_handle(segment_, ec);
        went_well(ec, "hand_over_handle");
    }

    void suffer()
    {
        while (objects_.empty())
            step();
        const bool use = any(4) != 0, first_anew = any(2) == 0;
        desk_.process = 0; // from here on no attached process is in this place
        if (::syscall(SYS_close_range, 3, ~0u, 0) != 0) return;
        own_descriptors own(10 + any(30), any(8));
        if (use) call_everything(own);
        if (first_anew) open_anew(own, "before the old objects are gone");
        objects_.clear();
        check(own, "after the event objects were destroyed");
        held_.clear();
        check(own, "after the handles were destroyed");
        old_ = std::move(segment_);
        old_ = {};
        check(own, "after the old attachment was destroyed");
        open_anew(own, "after the old objects are gone");
        check(own, "after the segment was opened anew");
        own.close();
    }

    // Any error is allowed, but each call has to come back, and to touch nothing of the program's.
    void call_everything(const own_descriptors& own)
    {
        ss::error_code ec;
        for (auto count = 1 + any(12); count > 0; --count) {
            ss::shared_socket& one   = held_[any(static_cast<std::uint32_t>(held_.size()))];
            ss::event_object& object = *objects_[any(static_cast<std::uint32_t>(objects_.size()))];
            std::byte room[16];
            switch (any(8)) {
            case 0:
                (void)one.duplicate(segment_.self(), ec);
                break;
            case 1:
                (void)one.handles(ec);
                break;
            case 2:
                one.event_select(object, ss::network_event::read, {}, ec);
                break;
            case 3:
                (void)object.wait(std::chrono::milliseconds(any(50)));
                break;
            case 4:
                one.close(ec);
                break;
            case 5:
                (void)one.enum_network_events(&object, ec);
                break;
            case 6:
                (void)segment_.sweep();
                break;
            default:
                one.stand_by(object, ss::network_event::read, {}, ec);
            }
            static_cast<void>(room);
            check(own, "after a call on what was closed");
        }
    }

    void open_anew(const own_descriptors& own, const char* when)
    {
        try {
            if (segment_) {
                old_ = std::move(segment_);
            }
            segment_ = attach_again();
        } catch (const std::exception& failure) {
            find("the segment cannot be opened anew %s, although identity_lost advises it: %s", when, failure.what());
        }
        check(own, when);
    }

    void check(const own_descriptors& own, const char* when)
    {
        if (const std::string wrong = own.wrong(); !wrong.empty())
            find("all was closed and the numbers used again; %s %s", when, wrong.c_str());
    }

    void rest() override
    {
        objects_.clear();
        held_.clear();
        pause();
    }

    void let_go() override
    {
        objects_.clear();
        held_.clear();
    }

    ss::segment old_;
    std::vector<ss::shared_socket> held_;
    std::vector<std::unique_ptr<ss::event_object>> objects_;
};

} // namespace

std::unique_ptr<worker> make_closed(const assignment& told, shared_books& kept) { return std::make_unique<closed>(told, kept); }

} // namespace ledger
