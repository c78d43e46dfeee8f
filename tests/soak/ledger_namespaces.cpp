// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The owner of a socket is killed where no process can watch its pid: in another pid namespace, or with pidfd_open denied. The one
// that stands by has to hear of it without another's sweep, so each scene has a segment of its own.
#include "soak/ledger_worker.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ledger {

namespace {

using ne = ss::network_event;

constexpr auto patience   = std::chrono::seconds(1) * test::slowness; // a death is heard within it
constexpr auto turn_limit = 5 * patience;                             // a loaded machine takes its time

// The children of this process that are forked meanwhile are in a pid namespace of their own.
class other_namespace {
public:
    explicit other_namespace(bool wanted)
    {
        if (!wanted) return;
        home_ = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (home_ < 0 || ::unshare(CLONE_NEWPID) != 0) throw std::system_error(errno, std::generic_category(), "unshare");
    }
    ~other_namespace() { leave(); }
    void leave()
    {
        if (home_ < 0) return;
        ::setns(home_, CLONE_NEWPID);
        ::close(std::exchange(home_, -1));
    }

private:
    int home_ = -1;
};

void deny_pidfd_open(int error)
{
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof filter / sizeof *filter, filter};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        throw std::system_error(errno, std::generic_category(), "seccomp");
}

struct scene {
    bool owner_elsewhere, waiter_elsewhere;
    int denied; // the error of pidfd_open in the process that stands by; 0: it works
    bool asio, serves;

    std::string text() const
    {
        std::string said = owner_elsewhere ? "the owner was killed in another pid namespace" : "the owner was killed";
        if (waiter_elsewhere) said += ", the process that stands by is in a pid namespace of its own";
        if (denied != 0) said += std::string(", pidfd_open fails with ") + (denied == EPERM ? "EPERM" : "ENOSYS") + " there";
        return said + (asio ? ", it waits with async_stand_by" : ", it waits for an event object") + (serves ? " and serves" : "");
    }
};

class namespaces final : public worker {
public:
    using worker::worker;

private:
    void act() override
    {
        const bool root = ::geteuid() == 0;
        scene now{root && any(2) == 0, root && any(3) == 0, 0, any(3) == 0, any(4) == 0};
        if (!now.owner_elsewhere && !now.waiter_elsewhere) now.denied = any(2) == 0 ? EPERM : ENOSYS;
        play(now);
    }

    void play(const scene& now)
    {
        const std::string name = told_.segment + "-scene-" + std::to_string(told_.place);
        const ss::segment_options options{
            .sockets = 16, .processes = 8, .directory = told_.directory, .patience = std::chrono::nanoseconds(patience)};
        ss::segment::remove(name, options, true);
        {
            auto where = ss::segment::create(name, options);
            int ends[2], owns[2], waits[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || ::pipe2(owns, O_CLOEXEC) != 0 ||
                ::pipe2(waits, O_CLOEXEC) != 0)
                throw std::system_error(errno, std::generic_category(), "pipe2");
            auto socket = ss::shared_socket::adopt(where, ends[0]);
            if (::send(ends[1], "d", 1, MSG_NOSIGNAL) != 1) throw std::system_error(errno, std::generic_category(), "send");

            const pid_t owner = start_owner(now, socket, owns[1]);
            char mark         = 0;
            if (::read(owns[0], &mark, 1) == 1) {
                other_namespace elsewhere(now.waiter_elsewhere);
                fork_child([&] { wait_for_turn(now, where, socket, waits[1]); }, ending::at_once,
                           "a socket whose owner lives elsewhere", false,
                           [&] {
                               elsewhere.leave();
                               static_cast<void>(::read(waits[0], &mark, 1)); // the child stands by, or its finding ends the child
                               ::kill(owner, SIGKILL);
                           });
            }
            ::kill(owner, SIGKILL);
            ::waitpid(owner, nullptr, 0);
            for (const int each : {ends[1], owns[0], owns[1], waits[0], waits[1]})
                ::close(each);
        }
        ss::segment::remove(name, options, true);
    }

    pid_t start_owner(const scene& now, ss::shared_socket& socket, int owns)
    {
        other_namespace elsewhere(now.owner_elsewhere);
        const pid_t owner = ::fork();
        if (owner < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (owner > 0) return owner;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ss::event_object object;
        socket.event_select(object, ne::read);
        if (::write(owns, "o", 1) != 1) ::_exit(5);
        for (;;)
            ::pause();
    }

    void wait_for_turn(const scene& now, const ss::segment& where, ss::shared_socket& socket, int waits)
    {
        if (now.denied != 0) deny_pidfd_open(now.denied);
        std::shared_ptr<void> serving;
        if (now.serves) serving = where.operator bool() ? ss::segment(where).serve_in_thread() : nullptr;
        const bool heard = now.asio ? turn_of_stream(socket, waits) : turn_of_object(socket, waits);
        serving.reset();
        if (!heard)
            find("%s: no turn within %lld s, and a byte waits", now.text().c_str(),
                 static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(turn_limit).count()));
    }

    static bool turn_of_object(ss::shared_socket& socket, int waits)
    {
        ss::event_object object;
        socket.stand_by(object, ne::read);
        if (::write(waits, "w", 1) != 1) return false;
        for (const test::deadline end(turn_limit); !end.passed();)
            if (object.wait(500ms) && socket.enum_network_events(object).has(ne::read)) return true;
        return false;
    }

    static bool turn_of_stream(ss::shared_socket& socket, int waits)
    {
        boost::asio::io_context io;
        ss::stream stream(io, std::move(socket));
        bool came = false;
        stream.async_stand_by([&](ss::error_code ec) { came = !ec; });
        io.poll();
        io.restart();
        if (::write(waits, "w", 1) != 1) return false;
        io.run_for(turn_limit);
        return came;
    }

    void rest() override { pause(); }
};

} // namespace

std::unique_ptr<worker> make_namespaces(const assignment& told, shared_books& kept)
{
    return std::make_unique<namespaces>(told, kept);
}

} // namespace ledger
