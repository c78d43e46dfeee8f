// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/instruction_count.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "counting instructions is written for x86-64"
#endif

namespace bench {
namespace {

constexpr std::uint8_t breakpoint = 0xcc;
constexpr std::array<std::uint8_t, 2> syscall_instruction{0x0f, 0x05};

// The child is a fork: its code lies at the same addresses.
const std::uint8_t* code_at(std::uint64_t address) { return reinterpret_cast<const std::uint8_t*>(address); }

user_regs_struct registers_of(pid_t child)
{
    user_regs_struct registers{};
    if (::ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0)
        throw std::system_error(errno, std::generic_category(), "PTRACE_GETREGS");
    return registers;
}

// Resumes and waits for the next stop by a trap; other signals are passed on. False at the end of the child.
bool resume(pid_t child, int how)
{
    for (long signal = 0;;) {
        if (::ptrace(static_cast<__ptrace_request>(how), child, nullptr, signal) != 0)
            throw std::system_error(errno, std::generic_category(), "ptrace");
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (WIFSIGNALED(status))
            throw std::runtime_error(std::string("the counted child died by ") + ::strsignal(WTERMSIG(status)));
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) throw std::runtime_error("the counted child failed");
        if (!WIFSTOPPED(status)) return false;
        if (WSTOPSIG(status) == SIGTRAP) return true;
        signal = WSTOPSIG(status);
    }
}

// The names of functions of this program. Only addr2line(1) reads its symbol table; one call asks for all, because it is slow.
std::vector<std::string> own_functions(const std::vector<std::uint64_t>& offsets)
{
    std::string command = "addr2line -Cf -e /proc/" + std::to_string(::getpid()) + "/exe";
    for (const std::uint64_t offset : offsets) {
        char text[32];
        std::snprintf(text, sizeof text, " %llx", static_cast<unsigned long long>(offset));
        command += text;
    }
    std::vector<std::string> names;
    if (std::FILE* const output = ::popen((command + " 2>/dev/null").c_str(), "r")) {
        char line[4096];
        for (bool name = true; std::fgets(line, sizeof line, output) != nullptr; name = !name) { // each followed by its file
            if (!name) continue;
            names.emplace_back(line, std::strcspn(line, "\n"));
        }
        ::pclose(output);
    }
    names.resize(offsets.size(), "?");
    return names;
}

std::map<std::string, std::uint64_t> by_function(const std::unordered_map<std::uint64_t, std::uint64_t>& addresses)
{
    std::map<std::string, std::uint64_t> places;
    std::vector<std::uint64_t> offsets, times;
    Dl_info self{};
    ::dladdr(reinterpret_cast<const void*>(&count_instructions), &self);
    for (const auto& [address, count] : addresses) {
        Dl_info about{};
        if (::dladdr(code_at(address), &about) == 0 || about.dli_fname == nullptr) {
            places["the kernel's pages (vdso)"] += count;
        } else if (about.dli_fbase == self.dli_fbase) {
            offsets.push_back(address - reinterpret_cast<std::uint64_t>(about.dli_fbase));
            times.push_back(count);
        } else {
            const std::string file(about.dli_fname);
            places[file.substr(file.rfind('/') + 1) + ": " + (about.dli_sname != nullptr ? about.dli_sname : "?")] += count;
        }
    }
    const std::vector<std::string> names = own_functions(offsets);
    for (std::size_t i = 0; i < names.size(); ++i)
        places[names[i]] += times[i];
    return places;
}

std::string call_name(long number)
{
    static const std::map<long, std::string> names{
// clang-format off
#define SHAREDSOCK_CALL(name) {SYS_##name, #name}
        SHAREDSOCK_CALL(accept4), SHAREDSOCK_CALL(bind), SHAREDSOCK_CALL(brk), SHAREDSOCK_CALL(clock_gettime),
        SHAREDSOCK_CALL(clone), SHAREDSOCK_CALL(close), SHAREDSOCK_CALL(connect), SHAREDSOCK_CALL(dup),
        SHAREDSOCK_CALL(epoll_create1), SHAREDSOCK_CALL(epoll_ctl), SHAREDSOCK_CALL(epoll_wait),
        SHAREDSOCK_CALL(eventfd2), SHAREDSOCK_CALL(fallocate), SHAREDSOCK_CALL(fchmod), SHAREDSOCK_CALL(fchmodat),
        SHAREDSOCK_CALL(fcntl), SHAREDSOCK_CALL(flock), SHAREDSOCK_CALL(fstat), SHAREDSOCK_CALL(ftruncate),
        SHAREDSOCK_CALL(futex), SHAREDSOCK_CALL(getdents64), SHAREDSOCK_CALL(geteuid), SHAREDSOCK_CALL(getpeername),
        SHAREDSOCK_CALL(getpid), SHAREDSOCK_CALL(getrandom), SHAREDSOCK_CALL(getsockname), SHAREDSOCK_CALL(getsockopt),
        SHAREDSOCK_CALL(gettid), SHAREDSOCK_CALL(getuid), SHAREDSOCK_CALL(ioctl), SHAREDSOCK_CALL(kill),
        SHAREDSOCK_CALL(listen), SHAREDSOCK_CALL(lseek), SHAREDSOCK_CALL(madvise), SHAREDSOCK_CALL(memfd_create),
        SHAREDSOCK_CALL(mkdirat), SHAREDSOCK_CALL(mknodat), SHAREDSOCK_CALL(mmap), SHAREDSOCK_CALL(mprotect),
        SHAREDSOCK_CALL(munmap), SHAREDSOCK_CALL(newfstatat), SHAREDSOCK_CALL(openat), SHAREDSOCK_CALL(openat2),
        SHAREDSOCK_CALL(pidfd_getfd), SHAREDSOCK_CALL(pidfd_open), SHAREDSOCK_CALL(pipe2), SHAREDSOCK_CALL(poll),
        SHAREDSOCK_CALL(ppoll), SHAREDSOCK_CALL(pread64), SHAREDSOCK_CALL(read), SHAREDSOCK_CALL(readlink),
        SHAREDSOCK_CALL(readlinkat), SHAREDSOCK_CALL(recvfrom), SHAREDSOCK_CALL(recvmsg),
        SHAREDSOCK_CALL(rt_sigprocmask), SHAREDSOCK_CALL(sendmsg), SHAREDSOCK_CALL(sendto),
        SHAREDSOCK_CALL(set_robust_list), SHAREDSOCK_CALL(setsockopt), SHAREDSOCK_CALL(shutdown),
        SHAREDSOCK_CALL(socket), SHAREDSOCK_CALL(socketpair), SHAREDSOCK_CALL(stat), SHAREDSOCK_CALL(statx),
        SHAREDSOCK_CALL(timerfd_create), SHAREDSOCK_CALL(timerfd_settime), SHAREDSOCK_CALL(unlink),
        SHAREDSOCK_CALL(unlinkat), SHAREDSOCK_CALL(wait4), SHAREDSOCK_CALL(write), SHAREDSOCK_CALL(writev),
#undef SHAREDSOCK_CALL
        // clang-format on
    };
    const auto found = names.find(number);
    return found != names.end() ? found->second : "call " + std::to_string(number);
}

} // namespace

std::uint64_t instruction_count::call_count() const
{
    std::uint64_t sum = 0;
    for (const auto& [number, times] : calls)
        sum += times;
    return sum;
}

std::string instruction_count::call_names() const
{
    std::string text;
    for (const auto& [number, times] : calls)
        text += (text.empty() ? "" : ", ") + call_name(number) + " " + std::to_string(times);
    return text;
}

instruction_count count_instructions(const std::function<void()>& subject, bool with_places)
{
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGTRAP);
        try {
            subject();
        } catch (const std::exception& failed) {
            std::fprintf(stderr, "counted child: %s\n", failed.what());
            ::_exit(1);
        }
        ::_exit(0);
    }
    instruction_count counted;
    std::unordered_map<std::uint64_t, std::uint64_t> addresses;
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!resume(child, PTRACE_CONT)) throw std::runtime_error("the counted child made no mark");
    for (user_regs_struct now = registers_of(child); *code_at(now.rip) != breakpoint;) {
        const bool call            = std::memcmp(code_at(now.rip), syscall_instruction.data(), syscall_instruction.size()) == 0;
        const std::uint64_t before = now.rip;
        if (call) ++counted.calls[static_cast<long>(now.rax)];
        if (!resume(child, PTRACE_SINGLESTEP)) throw std::runtime_error("the counted child ended before its second mark");
        now = registers_of(child);
        if (now.rip == before) continue; // a repeated string instruction goes on
        ++counted.instructions;
        ++addresses[before];
    }
    while (resume(child, PTRACE_CONT)) {
    }
    if (with_places) counted.places = by_function(addresses);
    return counted;
}

} // namespace bench
