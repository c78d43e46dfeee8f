// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attached.hpp"
#include "attach/handle.hpp"
#include "base/denied.hpp"
#include "base/new_fd.hpp"
#include "base/process_identity.hpp"
#include "base/syscall.hpp"
#include "member/name_table.hpp"

#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace sharedsock {
namespace {

using detail::member_of;
using detail::membership;

constexpr int shortage_pause_ms = 10;
constexpr int longest_sleep_ms  = 1'000;
constexpr int creation_races    = 16; // with processes that create, remove or sweep; a lost one means that they progress

// Whether there is room for all descriptors that it takes to make a segment, attach to it and, if that fails, remove it: a
// process that runs out of descriptors half-way could not clean up.
bool enough_descriptors(const segment_options& options, error_code& ec)
{
    ec.clear();
    constexpr std::uint32_t least = 14; // and two for each lock file
    const std::uint32_t processes = std::min(options.processes, detail::max_processes);
    std::vector<detail::unique_fd> spare(least + 2 * detail::liveness_file_count(processes));
    for (detail::unique_fd& one : spare) {
        one = detail::new_fd::event();
        if (!one) ec = detail::last_error(detail::sys<"eventfd2">);
    }
    return !ec;
}

segment attach(std::unique_ptr<detail::segment_file> file, const segment_options& options, error_code& ec)
{
    if (ec) return {};
    return segment(detail::attachment::join(std::move(file), options, ec));
}

// Removes a segment that its creator cannot attach to, unless another process has attached to it meanwhile.
void remove_again(std::string_view name, const segment_options& options)
{
    error_code in_use;
    detail::segment_file::remove(name, options, false, in_use);
}

membership* member_of(const segment& where) noexcept { return where ? where.attachment()->member() : nullptr; }

// @pre The index is below the capacity.
process_info describe(const membership& self, std::uint32_t index)
{
    const detail::process_record& record = self.bytes().processes[index];
    process_info info;
    info.id          = {index, load(record).generation};
    info.alive       = self.alive(info.id);
    info.pid         = record.pid;
    info.start_time  = record.start_time;
    info.attached_ns = record.attached_ns;
    info.load        = record.load.load();
    info.name.assign(record.name, ::strnlen(record.name, sizeof record.name));
    return info;
}

} // namespace

segment segment::create(std::string_view name, const segment_options& options, error_code& ec)
{
    if (!enough_descriptors(options, ec)) return {};
    for (int races = 0; races < creation_races; ++races) {
        auto file = detail::segment_file::create(name, options, ec);
        if (ec) return {};
        segment created;
        try {
            created = attach(std::move(file), options, ec);
        } catch (const std::bad_alloc&) {
            remove_again(name, options);
            throw;
        }
        if (!ec) return created;
        if (ec == errc::segment_not_found) continue; // another process removed it before this one attached
        remove_again(name, options);
        return {};
    }
    return {};
}
segment segment::create(std::string_view name, const segment_options& options)
{
    return detail::or_throw("sharedsock::segment::create", [&](error_code& ec) { return create(name, options, ec); });
}

segment segment::open(std::string_view name, const segment_options& options, error_code& ec)
{
    return attach(detail::segment_file::open(name, options, ec), options, ec);
}
segment segment::open(std::string_view name, const segment_options& options)
{
    return detail::or_throw("sharedsock::segment::open", [&](error_code& ec) { return open(name, options, ec); });
}

segment segment::open_or_create(std::string_view name, const segment_options& options, error_code& ec)
{
    for (int races = 0; races < creation_races; ++races) {
        segment opened = open(name, options, ec);
        if (ec != errc::segment_not_found && ec != errc::stale_segment) return opened;
        segment created = create(name, options, ec);
        if (ec != errc::segment_exists) return created;
    }
    return {};
}
segment segment::open_or_create(std::string_view name, const segment_options& options)
{
    return detail::or_throw("sharedsock::segment::open_or_create",
                            [&](error_code& ec) { return open_or_create(name, options, ec); });
}

segment segment::create_unnamed(const segment_options& options, error_code& ec)
{
    if (!enough_descriptors(options, ec)) return {};
    segment created;
    for (int races = 0; races < creation_races && (races == 0 || ec == errc::segment_not_found); ++races)
        created =
            attach(detail::segment_file::create_unnamed(options, ec), options, ec); // swept by another creator before it attached
    return created;
}
segment segment::create_unnamed(const segment_options& options)
{
    return detail::or_throw("sharedsock::segment::create_unnamed", [&](error_code& ec) { return create_unnamed(options, ec); });
}

segment segment::open_unnamed(int memory, const segment_options& options, error_code& ec)
{
    return attach(detail::segment_file::open_unnamed(memory, options, ec), options, ec);
}
segment segment::open_unnamed(int memory, const segment_options& options)
{
    return detail::or_throw("sharedsock::segment::open_unnamed", [&](error_code& ec) { return open_unnamed(memory, options, ec); });
}

bool segment::remove(std::string_view name, const segment_options& options, bool force, error_code& ec)
{
    return detail::segment_file::remove(name, options, force, ec);
}
bool segment::remove(std::string_view name, const segment_options& options, bool force)
{
    return detail::or_throw("sharedsock::segment::remove", [&](error_code& ec) { return remove(name, options, force, ec); });
}

const std::string& segment::name() const { return attachment_->file().name(); }
std::array<std::uint8_t, 16> segment::uuid() const { return attachment_->uuid(); }
int segment::memory_handle() const { return attachment_->file().memory(); }

process_id segment::self() const
{
    const membership* const member = member_of(*this);
    return member != nullptr ? member->self() : process_id{};
}

std::vector<process_info> segment::processes() const
{
    std::vector<process_info> all;
    const membership* const member = member_of(*this);
    for (std::uint32_t index = 0; member != nullptr && index < member->bytes().capacity.processes; ++index)
        if (load(member->bytes().processes[index]).used) all.push_back(describe(*member, index));
    return all;
}

std::vector<process_id> segment::find_processes(std::int32_t pid) const
{
    std::vector<process_id> found;
    const membership* const member = member_of(*this);
    if (member == nullptr) return found;
    // The kernel decides which process it is. The record only saves the question for processes of this namespace with another pid.
    const std::uint64_t own_namespace = detail::own_pid_namespace();
    for (std::uint32_t index = 0; pid > 0 && index < member->bytes().capacity.processes; ++index) {
        const detail::process_record& record = member->bytes().processes[index];
        const process_id id{index, load(record).generation};
        const bool of_ours = record.pid_namespace == own_namespace && own_namespace != 0;
        if (!load(record).used || record.pid == 0 || (of_ours && record.pid != pid)) continue;
        if (member->pid_of(id) == pid) found.push_back(id);
    }
    if (found.empty()) // the kernel names the holders of locks; if it may not be asked, nothing is known
        detail::throw_if(detail::if_denied(detail::sys<"fcntl">, ::fcntl(-1, F_GETFD)), "sharedsock::segment::find_processes");
    return found;
}

std::optional<process_id> segment::find_process(std::int32_t pid) const
{
    const std::vector<process_id> found = find_processes(pid);
    return found.size() == 1 ? std::optional(found.front()) : std::nullopt;
}

bool segment::alive(process_id who) const
{
    const membership* const member = member_of(*this);
    return member != nullptr && who && member->alive(who);
}

void segment::set_load(std::uint32_t load)
{
    if (membership* const member = member_of(*this)) member->bytes().process(member->self().index)->load.store(load);
}

void segment::publish(std::string_view name, const shared_socket& socket, error_code& ec)
{
    if (!socket.is_open() || attachment_ == nullptr || socket.impl()->where_ptr()->uuid() != attachment_->uuid()) {
        ec = errc::closed_handle;
        return;
    }
    if (membership* const member = attachment_->member(ec)) detail::name_table::publish(*member, name, socket.impl()->socket(), ec);
}
void segment::publish(std::string_view name, const shared_socket& socket)
{
    error_code ec;
    publish(name, socket, ec);
    detail::throw_if(ec, "sharedsock::segment::publish");
}

bool segment::unpublish(std::string_view name)
{
    error_code ec;
    membership* const member = member_of(*this, ec);
    const bool done          = member != nullptr && detail::name_table::unpublish(*member, name, ec);
    detail::throw_if(ec, "sharedsock::segment::unpublish");
    return done;
}

std::vector<std::string> segment::published() const
{
    error_code ec;
    membership* const member = member_of(*this, ec);
    std::vector<std::string> names;
    if (member != nullptr) names = detail::name_table::list(*member, ec);
    detail::throw_if(ec, "sharedsock::segment::published");
    return names;
}

std::size_t segment::sweep()
{
    membership* const member = member_of(*this);
    const std::size_t swept  = member != nullptr ? member->sweep_dead() : 0;
    if (swept == 0) // the kernel tells which processes are dead; if it may not be asked, nothing is known
        detail::throw_if(detail::if_denied(detail::sys<"fcntl">, ::fcntl(-1, F_GETFD)), "sharedsock::segment::sweep");
    return swept;
}

int segment::native_handle() const { return attachment_->serving_handle(); }
void segment::poll(error_code& ec) { attachment_->serve(ec); }
void segment::poll()
{
    detail::or_throw("sharedsock::segment::poll", [&](error_code& ec) { poll(ec); });
}

std::shared_ptr<void> segment::serve_in_thread()
{
    struct server {
        std::shared_ptr<detail::attachment> where;
        detail::unique_fd stop = detail::new_fd::event();
        std::atomic<bool> stopping{false};
        const std::uint64_t instance = detail::process_instance();
        std::thread thread;

        explicit server(std::shared_ptr<detail::attachment> attached) : where(std::move(attached))
        {
            if (!stop) throw system_error(detail::last_error(detail::sys<"eventfd2">), "sharedsock::segment::serve_in_thread");
            sigset_t all, before;
            ::sigfillset(&all);
            const int serving = where->serving_handle(); // fails here rather than in the thread
            if (::poll(nullptr, 0, 0) < 0)
                throw system_error(detail::last_error(detail::sys<"poll">), "sharedsock::segment::serve_in_thread");
            ::pthread_sigmask(SIG_SETMASK, &all, &before); // the thread inherits it
            struct unblock {
                const sigset_t& mask;
                ~unblock() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
            } const afterwards{before};
            try {
                thread = std::thread([this, serving] { run(serving); });
            } catch (const std::system_error& failure) { // the C library tries clone3, and then clone if there is no clone3
                errno = failure.code().value();
                detail::throw_if(detail::if_denied(detail::sys<"clone3">, -1), "sharedsock::segment::serve_in_thread");
                throw;
            }
        }
        ~server()
        {
            if (instance != detail::process_instance()) { // a forked child's copy: its parent has the thread
                std::construct_at(&thread);               // forgotten: in this process its id may be another thread's
                return;
            }
            stopping                = true;
            const std::uint64_t one = 1;
            // The eventfd's counter cannot be full. If other code may have closed it, the thread looks within a second.
            if (!stop.doubtful()) static_cast<void>(::write(stop.get(), &one, sizeof one));
            thread.join();
        }
        void run(int serving)
        {
            pollfd fds[] = {{serving, POLLIN, 0}, {stop.get(), POLLIN, 0}};
            while (!stopping && fds[1].revents == 0 && (fds[0].revents & POLLNVAL) == 0) { // other code closed it
                const bool served = serve();
                if (where->identity_lost()) return; // this process owns nothing in the segment any more
                if (stop.doubtful()) fds[1].fd = -1;
                if (served) // at most for one tick: if other code closed the descriptors, nothing would wake this thread
                    ::poll(fds, 2, longest_sleep_ms);
                else
                    ::poll(&fds[1], 1, shortage_pause_ms);
            }
        }
        bool serve() const // false: memory or descriptors ran out, and there is work left
        try {
            error_code ec;
            where->serve(ec);
            return !ec;
        } catch (const std::bad_alloc&) {
            return false;
        }
    };
    return std::make_shared<server>(attachment_);
}

} // namespace sharedsock
