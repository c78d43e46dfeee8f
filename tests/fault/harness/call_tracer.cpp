// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/harness/call_tracer.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

namespace test {
namespace {

void trace(__ptrace_request request, pid_t process, std::uintptr_t data, std::uintptr_t address = 0)
{
    if (::ptrace(request, process, address, data) < 0) throw std::system_error(errno, std::generic_category(), "ptrace");
}

template <class Value>
std::uintptr_t place_of(Value& value)
{
    return reinterpret_cast<std::uintptr_t>(&value);
}

int wait_for_stop(pid_t process)
{
    int status = 0;
    while (::waitpid(process, &status, __WALL) != process)
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
    if (!WIFSTOPPED(status)) throw std::runtime_error("the process ended by itself, with status " + std::to_string(status));
    return status;
}

__ptrace_syscall_info look_at(pid_t process)
{
    __ptrace_syscall_info info{};
    trace(PTRACE_GET_SYSCALL_INFO, process, place_of(info), sizeof info);
    return info;
}

} // namespace

call_tracer::call_tracer(pid_t process, bool in_child) : process_(process), in_child_(in_child)
{
    trace(PTRACE_SEIZE, process, PTRACE_O_TRACESYSGOOD | (in_child ? PTRACE_O_TRACEFORK : 0));
}

call_tracer::~call_tracer()
{
    if (traced_) ::ptrace(PTRACE_DETACH, process_, nullptr, nullptr);
}

void call_tracer::follow_child()
{
    unsigned long child = 0;
    trace(PTRACE_GETEVENTMSG, process_, place_of(child));
    trace(PTRACE_DETACH, process_, 0);
    process_  = static_cast<pid_t>(child);
    counting_ = true;
    wait_for_stop(process_);
}

call_tracer::stop call_tracer::next()
{
    for (int signal = 0;;) {
        if (stopped_) trace(PTRACE_SYSCALL, process_, static_cast<std::uintptr_t>(signal)); // at first the process runs
        const int status = wait_for_stop(process_);
        stopped_         = true;
        signal           = 0;
        if (status >> 16 == PTRACE_EVENT_FORK) {
            follow_child();
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (counting_) return look_at(process_).op == PTRACE_SYSCALL_INFO_ENTRY ? stop::entry : stop::exit;
        } else if (WSTOPSIG(status) == SIGUSR1) {
            if (counting_) return stop::over;
            counting_ = !in_child_;
        } else if (status >> 16 == 0) {
            signal = WSTOPSIG(status);
        }
    }
}

system_call call_tracer::call() const
{
    const auto info = look_at(process_);
    system_call made;
    made.number = info.entry.nr;
    std::copy(std::begin(info.entry.args), std::end(info.entry.args), made.arguments.begin());
    std::error_code none;
    made.file =
        std::filesystem::read_symlink("/proc/" + std::to_string(process_) + "/fd/" + std::to_string(info.entry.args[0]), none);
    return made;
}

void call_tracer::kill()
{
    ::kill(process_, SIGKILL);
    while (in_child_ && ::waitpid(process_, nullptr, __WALL) < 0 && errno == EINTR) {
    } // else it is this process's own child, which is waited for
    traced_ = false;
}

void call_tracer::let_go()
{
    trace(PTRACE_DETACH, process_, 0);
    traced_ = false;
}

#if defined(__x86_64__)

void call_tracer::fail_with(int error, bool made)
{
    user_regs_struct registers;
    const auto change = [&](unsigned long long user_regs_struct::*which, long long value) {
        trace(PTRACE_GETREGS, process_, place_of(registers));
        registers.*which = static_cast<unsigned long long>(value);
        trace(PTRACE_SETREGS, process_, place_of(registers));
    };
    if (!made) change(&user_regs_struct::orig_rax, -1); // no call has this number
    if (next() != stop::exit) throw std::runtime_error("a system call did not end");
    change(&user_regs_struct::rax, -error);
}

#if defined(SHAREDSOCK_TEST_SANITIZED)
bool can_fail_calls() { return false; } // the sanitizer runtime's own calls would fail as well, and it gives up then
#else
bool can_fail_calls() { return true; }
#endif

#else

void call_tracer::fail_with(int, bool) { throw std::logic_error("not for this machine"); }
bool can_fail_calls() { return false; }

#endif

} // namespace test
