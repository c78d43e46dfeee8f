// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that concern its process: attachments, limits, forks, threads.
#include "support/peer_errors.hpp"
#include "support/peer_state.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace test {
namespace {

// The RLIMIT_NOFILE under which exactly `count` more descriptors can be had: there may be holes, and numbers far above the rest.
rlim_t limit_with_room_for(std::size_t count)
{
    rlim_t limit = 0;
    for (std::size_t room = 0; room <= count; ++limit)
        if (::fcntl(static_cast<int>(limit), F_GETFD) == -1) ++room;
    return limit - 1;
}

// No other process may use pidfd_getfd(2) on this one, nor this one on others that have called it too: not even as root.
void give_up_tracing()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capget, &header, sets) != 0) misuse("capget");
    sets[CAP_SYS_PTRACE / 32].effective &= ~(1u << CAP_SYS_PTRACE % 32);
    sets[CAP_SYS_PTRACE / 32].permitted &= ~(1u << CAP_SYS_PTRACE % 32);
    if (::syscall(SYS_capset, &header, sets) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) misuse("capset");
}

template <class Fork>
std::string in_child(peer_state& state, Fork fork, const std::string& command)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(condition_name({errno, boost::system::system_category()}));
    const pid_t child = fork();
    if (child == 0) {
        std::string answer;
        try {
            answer = state.run(command);
        } catch (const std::exception& failure) {
            answer = std::string("error: ") + failure.what();
        }
        const auto written = ::write(ends[1], answer.data(), answer.size());
        ::_exit(written == static_cast<ssize_t>(answer.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string answer(4096, '\0');
    const auto got = ::read(ends[0], answer.data(), answer.size()); // whole: it was one write
    ::close(ends[0]);
    if (child > 0) ::waitpid(child, nullptr, 0);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
}

} // namespace

void peer_state::add_process_verbs()
{
    add("message", [](words&, ss::error_code&) { return last_message(); });
    add("pid", [](words&, ss::error_code&) { return std::to_string(::getpid()); });
    add("self", [this](words&, ss::error_code&) { return to_string(segment_.self()); });
    add("attach", [this](words& line, ss::error_code& ec) {
        ss::segment other = ss::segment::open(line.next("segment"), {}, ec);
        if (!ec) segment_ = std::move(other);
    });
    add("poll_segment", [this](words&, ss::error_code&) { segment_.poll(); });
    add("execute", [](words&, ss::error_code& ec) { // another program, which sleeps: only its failure has an answer
        ::execl("/bin/sleep", "sleep", "1000", static_cast<char*>(nullptr));
        ec = ss::error_code(errno, boost::system::system_category());
    });
    add("untraceable", [](words&, ss::error_code&) { give_up_tracing(); });
    add("sweep", [this](words&, ss::error_code&) { return std::to_string(segment_.sweep()); });
    add("processes", [this](words&, ss::error_code&) { return std::to_string(segment_.processes().size()); });
    add("limit_descriptors", [](words& line, ss::error_code&) {
        static rlimit before = [] {
            rlimit now{};
            ::getrlimit(RLIMIT_NOFILE, &now);
            return now;
        }();
        const std::string word = line.next("count");
        rlimit now             = before;
        if (word != "off") now.rlim_cur = limit_with_room_for(words::to_number<std::size_t>(word));
        ::setrlimit(RLIMIT_NOFILE, &now);
    });
    add("in_fork", [this](words& line, ss::error_code&) { return in_child(*this, ::fork, line.rest()); });
    add("in_clone", [this](words& line, ss::error_code&) {
        const auto clone = [] { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)); };
        return in_child(*this, clone, line.rest());
    });
    add("start", [this](words& line, ss::error_code&) {
        const std::string name = line.next("thread");
        threads_[name]         = std::async(std::launch::async, [this, command = line.rest()] {
            try {
                return run(command);
            } catch (const std::exception& failure) {
                return std::string("error: ") + failure.what();
            }
        });
    });
    add("again", [this](words& line, ss::error_code&) {
        for (const std::string command = line.rest();;) {
            try {
                run(command);
            } catch (const std::exception&) { // fails now and then
            }
        }
    });
    add("running", [this](words& line, ss::error_code&) {
        const auto found = threads_.find(line.next("thread"));
        if (found == threads_.end()) misuse("no such thread");
        return yes_or_no(found->second.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
    });
    add("join", [this](words& line, ss::error_code&) {
        const auto found = threads_.find(line.next("thread"));
        if (found == threads_.end()) misuse("no such thread");
        const std::string answer = found->second.get();
        threads_.erase(found);
        return answer;
    });
}

} // namespace test
