// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/launch.hpp"

#include "attach/fork_hook.hpp"
#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "prefork/worker_link.hpp"

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sharedsock::prefork::detail {
namespace {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;
using sharedsock::detail::uninterrupted;

constexpr int exit_thrown = 1;

unique_fd duplicate(int descriptor)
{
    unique_fd made = new_fd::duplicate(descriptor);
    if (!made) throw system_error(last_error(sys<"fcntl">));
    return made;
}

// A worker that cannot be watched is ended.
launched watched(pid_t pid, channel link, error_code& ec) noexcept
{
    launched made{pid, new_fd::of_process(pid), std::move(link)};
    if (made.process) return made;
    ec = last_error(sys<"pidfd_open">);
    ::kill(pid, SIGKILL);
    uninterrupted([&] { return ::waitpid(pid, nullptr, 0); });
    return {};
}

std::shared_ptr<worker_link> make_link(const launch_plan& plan, channel link)
{
    worker_gift gift{std::move(link), duplicate(plan.parent),    {},           plan.place,
                     plan.generation, plan.signals.are_requests, plan.watchdog};
    unique_fd loads = duplicate(plan.loads->native_handle());
    error_code ec;
    gift.loads = load_table::open(std::move(loads), ec);
    auto made  = std::make_shared<worker_link>(std::move(gift));
    if (!ec) made->open(ec);
    if (ec) throw system_error(ec);
    return made;
}

// Without this check a worker that lacks handles would find them closed one by one, in the middle of its work.
void require_all_handles()
{
    const auto lack = sharedsock::detail::shortage_of_this_fork();
    if (!lack.why) return;
    const std::string capacity = std::to_string(lack.capacity);
    std::string told           = "the worker has " + std::to_string(lack.counted) + " of the " + std::to_string(lack.inherited) +
                       " handles that its supervisor holds: ";
    if (lack.why == errc::handle_table_full)
        told += "the segment's handle table is full; create the segment with segment_options::handles above " + capacity;
    else if (lack.why == errc::process_table_full)
        told += "the segment's process table is full; create the segment with segment_options::processes above " + capacity;
    else
        told += lack.why.message();
    throw std::runtime_error(told);
}

bool is_only_thread() noexcept
{
    constexpr nlink_t own_links = 2; // a directory's own, beside that of each thread's
    struct stat tasks {};
    return ::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == own_links + 1;
}

// This may not unwind the parent's stack: the objects there are the parent's.
[[noreturn]] void be_worker(const launch_plan& plan, channel own_end, const std::function<void()>& in_child,
                            const std::function<int(worker&)>& body) noexcept
{
    const channel voice(new_fd::duplicate(own_end.native_handle())); // a duplicate that outlives the worker object's
    bool is_set_up  = false;
    const auto fail = [&](const char* reason, int error = 0) {
        error_code nobody_listens;
        voice.send(make_failure(reason, error), nobody_listens);
        ::_exit(exit_thrown);
    };
    try {
        ::pthread_sigmask(SIG_SETMASK, &plan.signals.mask, nullptr);
        error_code ec;
        if (plan.parent_death_signal != 0) die_with_parent(plan.parent_death_signal, plan.parent, ec);
        if (ec) throw system_error(ec);
        require_all_handles();
        auto link = make_link(plan, std::move(own_end));
        in_child();
        worker self(std::move(link));
        is_set_up      = true;
        const int code = body(self);
        // Other threads may be in the middle of a call, with a lock: then the others sweep this process, as any that has died.
        if (is_only_thread()) sharedsock::detail::end_attachments();
        ::_exit(code);
    } catch (const system_error& failure) {
        fail(failure.what(), is_set_up ? 0 : failure.code().value());
    } catch (const std::exception& failure) {
        fail(failure.what());
    } catch (...) {
        fail("something that is no std::exception was thrown");
    }
    ::_exit(exit_thrown);
}

// --- a program --------------------------------------------------------------------------------------------------------

class spawn_arguments {
public:
    explicit spawn_arguments(const sigset_t& mask)
    {
        check(::posix_spawn_file_actions_init(&actions));
        check(::posix_spawnattr_init(&attributes));
        check(::posix_spawnattr_setsigmask(&attributes, &mask));
        check(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK));
    }
    ~spawn_arguments()
    {
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&actions);
    }
    spawn_arguments(const spawn_arguments&)            = delete;
    spawn_arguments& operator=(const spawn_arguments&) = delete;

    // Duplicates it onto itself: that clears close-on-exec, in the child alone.
    void keep(int descriptor) { check(::posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor)); }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

private:
    static void check(int error)
    {
        if (error != 0) throw system_error(error_code(error, boost::system::system_category()));
    }
};

std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> all;
    all.reserve(words.size() + 1);
    for (std::string& one : words)
        all.push_back(one.data());
    all.push_back(nullptr);
    return all;
}

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

// The given variables replace inherited ones. `worker_variable` is never inherited: that of a supervisor above this process would
// be a lie.
std::vector<std::string> environment_with(std::vector<std::string> given)
{
    std::vector<std::string> all = std::move(given);
    const std::size_t own        = all.size();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view name = name_of(*entry);
        bool is_given               = name == worker_variable;
        for (std::size_t i = 0; i < own; ++i)
            is_given = is_given || name_of(all[i]) == name;
        if (!is_given) all.emplace_back(*entry);
    }
    return all;
}

} // namespace

launched launch_fork(const launch_plan& plan, const std::function<void()>& in_child, const std::function<int(worker&)>& body,
                     error_code& ec)
{
    channel::pair link = channel::make(ec);
    if (ec) return {};
    const pid_t pid = ::fork();
    if (pid < 0) {
        ec = last_error(sys<"clone">);
        return {};
    }
    if (pid == 0) {
        link.parents.close();
        be_worker(plan, std::move(link.workers), in_child, body);
    }
    return watched(pid, std::move(link.parents), ec);
}

launched launch_program(const launch_plan& plan, const program& what, const program_path& where, error_code& ec)
{
    ec.clear();
    channel::pair link;
    if (what.cooperates) link = channel::make(ec);
    if (ec) return {};
    pid_t pid = 0;
    try {
        spawn_arguments how(plan.signals.mask);
        std::vector<std::string> variables = what.environment;
        if (what.cooperates) {
            const int workers = link.workers.native_handle(), loads = plan.loads->native_handle();
            for (const int descriptor : {workers, plan.parent, loads})
                how.keep(descriptor);
            std::string told = worker_variable;
            told += '=' + std::to_string(workers) + ' ' + std::to_string(plan.parent) + ' ' + std::to_string(loads) + ' ' +
                    std::to_string(plan.place) + ' ' + std::to_string(plan.generation) + ' ' +
                    std::to_string(plan.parent_death_signal) + ' ' + std::to_string(plan.signals.are_requests) + ' ' +
                    std::to_string(plan.watchdog.count());
            variables.push_back(std::move(told));
        }
        for (const int descriptor : what.descriptors)
            how.keep(descriptor);
        variables                      = environment_with(std::move(variables));
        std::vector<std::string> words = what.arguments;
        const std::string path         = where.to_execute();
        if (words.empty()) words.push_back(path);
        const int error =
            ::posix_spawn(&pid, path.c_str(), &how.actions, &how.attributes, pointers(words).data(), pointers(variables).data());
        if (error != 0) ec.assign(error, boost::system::system_category());
        if (error == ENOENT && path.starts_with("/proc/") && !sharedsock::detail::proc_is_mounted()) ec = errc::proc_not_mounted;
    } catch (const system_error& failure) {
        ec = failure.code();
    }
    if (ec) return {};
    return watched(pid, std::move(link.parents), ec);
}

} // namespace sharedsock::prefork::detail
