// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Workers that the kernel refuses to start: the call that waits for them tells the kernel's reason.
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/in_child.hpp"

#include <sharedsock/prefork.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;

namespace {

prefork::options one_worker()
{
    prefork::options how;
    how.workers             = 1;
    how.limit.deaths        = 0; // never gives up
    how.parent_death_signal = SIGKILL;
    return how;
}

int serve(prefork::worker& self)
{
    self.ready();
    self.wait_for_drain();
    return 0;
}

void allow_descriptors(int spare)
{
    const int next = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next + spare), static_cast<rlim_t>(next + spare)};
    ::setrlimit(RLIMIT_NOFILE, &few);
}

// From now on fork(2) fails as it does where there are too many processes.
bool refuse_fork()
{
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{std::size(rules), rules};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::string waited(prefork::supervisor& workers)
{
    workers.start();
    ss::error_code ec;
    workers.wait_ready(std::chrono::milliseconds(50), ec);
    return ec ? ec.message() : "ready";
}

std::string message(int error) { return ss::error_code(error, boost::system::system_category()).message(); }

} // namespace

TEST_CASE("wait_ready says that there are too many open files where that kept a worker from being started", "[fault-97]")
{
    // No descriptor, one, and so on: the start is refused for the channel, in the worker, or for its pidfd, until there are enough.
    bool is_refused = true;
    for (int spare = 0; is_refused; ++spare) {
        const std::string said = test::in_child([&] {
            prefork::supervisor workers(one_worker(), serve);
            allow_descriptors(spare);
            std::string heard = waited(workers);
            for (const test::deadline end;
                 heard == message(ETIMEDOUT) && !end.passed();) { // a slow machine: the worker is on its way
                ss::error_code ec;
                workers.wait_ready(std::chrono::milliseconds(50), ec);
                heard = ec ? ec.message() : "ready";
            }
            return heard;
        });
        INFO(spare << " descriptors");
        is_refused = said != "ready";
        CHECK((said == "ready" || said == message(EMFILE)));
        REQUIRE(spare < 64);
    }
}

TEST_CASE("wait_ready says that fork was refused where that kept the workers from being started", "[fault-97]")
{
    CHECK(test::in_child([] {
              prefork::supervisor workers(one_worker(), serve);
              if (!refuse_fork()) return std::string("no filter");
              return waited(workers);
          }) == message(EAGAIN));
    CHECK(test::in_child([] {
              prefork::supervisor workers(one_worker(), prefork::program{.path = "/bin/true"});
              if (!refuse_fork()) return std::string("no filter");
              return waited(workers);
          }) == message(EAGAIN));
}

TEST_CASE("a supervisor whose descriptors other code has closed says so, and closes and signals only its own", "[fault-96]")
{
    CHECK(test::in_child([] {
              auto workers = std::make_unique<prefork::supervisor>(one_worker(), serve);
              workers->start();
              workers->wait_ready();
              const pid_t worker = workers->status().at(0).pid;
              ::syscall(SYS_close_range, 3, ~0u, 0);
              const pid_t other = ::fork();
              if (other == 0) {
                  ::pause();
                  ::_exit(0);
              }
              std::vector<int> mine;
              for (int i = 0; i < 32; ++i)
                  mine.push_back(static_cast<int>(::syscall(SYS_pidfd_open, other, 0)));
              ss::error_code ec;
              workers->poll(ec);
              workers.reset();
              std::string said = ec.message();
              for (const int one : mine)
                  if (::fcntl(one, F_GETFD) == -1) said += ", closed one";
              if (::kill(worker, 0) == 0) said += ", the worker lives";
              siginfo_t info{};
              ::waitid(P_PID, static_cast<id_t>(other), &info, WEXITED | WNOHANG);
              if (info.si_pid != 0) said += ", another process is dead";
              ::kill(other, SIGKILL);
              return said;
          }) == message(EBADF));
}
