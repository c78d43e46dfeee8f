// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/process_identity.hpp"

#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

using path_text = char[64];
using file_text = char[4096];

// The beginning of a file of /proc, as a string; empty if it cannot be read, and errno says why.
const char* read_file(const char* path, file_text& text) noexcept
{
    text[0]              = 0;
    const unique_fd file = new_fd::open(path, O_RDONLY);
    if (!file) return text;
    const ssize_t size = uninterrupted([&] { return ::read(file.get(), text, sizeof text - 1); });
    if (size >= 0) text[size] = 0;
    return text;
}

error_code why_unreadable(int error) noexcept
{
    if (error == ENOENT && !proc_is_mounted()) return errc::proc_not_mounted;
    return error_of(sys<"openat">, error);
}

// Field 22 of proc(5) stat. The name, field 2, may contain anything, so the fields are counted from its end. 0 for a zombie: its
// last thread has ended. (If only the main thread has ended, the state says zombie too, and the threads are more than one.)
std::uint64_t start_time_in(const char* stat) noexcept
{
    bool zombie    = false;
    const char* at = std::strrchr(stat, ')');
    for (int field = 2; at != nullptr && field < 22; ++field) {
        if (field == 3) zombie = at[1] == 'Z' || at[1] == 'X';
        if (field == 20) zombie = zombie && std::strtoull(at, nullptr, 10) <= 1;
        at = std::strchr(at + 1, ' ');
    }
    return at != nullptr && !zombie ? std::strtoull(at, nullptr, 10) : 0;
}

// The line "<name>:\t<number>..." of a file of /proc: its numbers, of which the first and the last are kept.
struct numbers {
    std::int32_t first = 0;
    std::int32_t last  = 0;
    int count          = 0;
};
numbers line_of(const char* text, const char* name) noexcept
{
    numbers found;
    const std::size_t size = std::strlen(name);
    const char* line       = text;
    while (line != nullptr && (std::strncmp(line, name, size) != 0 || line[size] != ':')) {
        line = std::strchr(line, '\n');
        if (line != nullptr) ++line;
    }
    if (line == nullptr) return found;
    for (const char* at = line + size + 1;;) {
        while (*at == '\t' || *at == ' ')
            ++at;
        if (*at == '\n' || *at == 0) return found;
        char* end        = nullptr;
        const long value = std::strtol(at, &end, 10);
        if (end == at) return found;
        found.last = static_cast<std::int32_t>(value);
        if (found.count++ == 0) found.first = found.last;
        at = end;
    }
}

std::uint64_t inode_of(const char* path) noexcept
{
    struct stat about {};
    return ::stat(path, &about) == 0 ? about.st_ino : 0;
}

// Whether /proc was mounted for the pid namespace of this process: then it shows one number for this process, and not several.
bool proc_is_ours() noexcept
{
    file_text text;
    return line_of(read_file("/proc/self/status", text), "NSpid").count == 1;
}

// 0 if it has ended, or if errno is not 0: then the file could not be read.
std::uint64_t start_time_of(std::int32_t proc_pid) noexcept
{
    path_text path;
    file_text text;
    std::snprintf(path, sizeof path, "/proc/%d/stat", proc_pid);
    errno = 0;
    return start_time_in(read_file(path, text));
}

// The number in /proc of the process that this pid namespace calls `pid`; 0 and an error if there is none.
std::int32_t number_in_proc(std::int32_t pid, error_code& ec) noexcept
{
    if (proc_is_ours()) return pid;
    const unique_fd process = new_fd::of_process(pid);
    if (!process) {
        ec = errno == ESRCH ? make_error_code(errc::target_gone) : last_error(sys<"pidfd_open">);
        return 0;
    }
    path_text path;
    file_text text;
    std::snprintf(path, sizeof path, "/proc/thread-self/fdinfo/%d", process.get());
    const numbers shown = line_of(read_file(path, text), "Pid");
    if (shown.count == 1 && shown.first > 0) return shown.first;
    ec = shown.count == 1 ? make_error_code(errc::target_gone) : why_unreadable(errno); // -1: it has ended just now
    return 0;
}

} // namespace

std::uint64_t process_identity::stamp() const noexcept
{
    // An inode of a namespace has 32 bits. Start times that differ by less than 497 days of 100 ticks a second differ here too.
    return known() ? (pid_namespace << 32 | pid_namespace >> 32) ^ start_time : 0;
}

std::uint64_t own_pid_namespace() noexcept
{
    return inode_of("/proc/thread-self/ns/pid"); // /proc/self has none once the main thread has ended
}

process_identity this_process() noexcept
{
    file_text text; // "self", because /proc may be of another pid namespace, where this process's pid names another process
    return {::getpid(), own_pid_namespace(), start_time_in(read_file("/proc/self/stat", text))};
}

seen_process process_called(std::int32_t pid, error_code& ec) noexcept
{
    ec.clear();
    seen_process seen;
    if (pid <= 0) ec = errc::target_gone;
    if (!ec) seen.proc_pid = number_in_proc(pid, ec);
    if (ec) return {};
    path_text path;
    file_text text;
    seen.identity.start_time = start_time_of(seen.proc_pid);
    const int why            = errno;
    if (seen.identity.start_time == 0) {
        ec = why != 0 ? why_unreadable(why) : make_error_code(errc::target_gone);
        if (ec == boost::system::errc::no_such_file_or_directory || ec == boost::system::errc::no_such_process)
            ec = errc::target_gone;
        return {};
    }
    std::snprintf(path, sizeof path, "/proc/%d/status", seen.proc_pid);
    const numbers pids = line_of(read_file(path, text), "NSpid");
    seen.identity.pid  = pids.last;
    std::snprintf(path, sizeof path, "/proc/%d/ns/pid", seen.proc_pid);
    seen.identity.pid_namespace = inode_of(path);
    const int hidden            = errno;
    if (seen.identity.pid_namespace == 0 && pids.count == 1 && proc_is_ours()) seen.identity.pid_namespace = own_pid_namespace();
    if (start_time_of(seen.proc_pid) != seen.identity.start_time)
        ec = errc::target_gone; // it ended meanwhile, and its number may be another's by now
    else if (!seen.identity.known())
        ec = error_of(sys<"newfstatat">, hidden);
    return ec ? seen_process{} : seen;
}

bool still_runs(const seen_process& who) noexcept
{
    const std::uint64_t start = start_time_of(who.proc_pid);
    if (start == 0 && errno != 0 && errno != ENOENT && errno != ESRCH) return true; // no descriptor, or no memory, to look by
    return start == who.identity.start_time;
}

bool has_ended(std::int32_t pid, std::uint64_t pid_namespace, std::uint64_t stamp) noexcept
{
    const std::uint64_t own = own_pid_namespace();
    if (pid <= 0 || own == 0 || own != pid_namespace || !proc_is_ours()) return false;
    process_identity now{pid, own, start_time_of(pid)};
    if (now.start_time == 0 && errno != 0) return ::kill(pid, 0) != 0 && errno == ESRCH; // a /proc may hide processes
    return now.stamp() != stamp;
}

} // namespace sharedsock::detail
