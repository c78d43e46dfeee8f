// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "systemd/variables.hpp"

#include <sharedsock/systemd/notifier.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sharedsock::systemd {

namespace new_fd = sharedsock::detail::new_fd;
namespace text   = sharedsock::detail::manager_text;
using sharedsock::detail::error_of;
using sharedsock::detail::last_error;
using sharedsock::detail::or_throw;
using sharedsock::detail::sys;
using sharedsock::detail::uninterrupted;
using sharedsock::detail::unique_fd;

namespace {

constexpr std::size_t most_in_message = 253; // SCM_MAX_FD of Linux
constexpr std::chrono::seconds patience{5};

error_code invalid() noexcept { return make_error_code(boost::system::errc::invalid_argument); }

error_code connect_to(int socket, const std::string& manager)
{
    const auto address = text::notify_address(manager);
    if (!address) return errc::bad_manager_variable;
    if (uninterrupted([&] { return ::connect(socket, address->data(), address->size()); }) != 0) return last_error(sys<"connect">);
    return {};
}

// 0 when `events` show, else what went wrong.
error_code wait_for(int descriptor, short events, std::chrono::milliseconds limit)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        pollfd asked{descriptor, events, 0};
        const int found = ::poll(&asked, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000)));
        if (found > 0) return {};
        if (found < 0 && errno != EINTR) return last_error(sys<"poll">);
        if (left.count() <= 0) return make_error_code(boost::system::errc::timed_out);
    }
}

// One message; an errno.
int send_message(int socket, std::string_view lines, std::span<const int> descriptors) noexcept
{
    iovec part{const_cast<char*>(lines.data()), lines.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(most_in_message * sizeof(int))> room{};
    msghdr message{};
    message.msg_iov    = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control    = room.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const header  = CMSG_FIRSTHDR(&message);
        header->cmsg_level     = SOL_SOCKET;
        header->cmsg_type      = SCM_RIGHTS;
        header->cmsg_len       = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    return uninterrupted([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT); }) < 0 ? errno : 0;
}

std::optional<std::uint64_t> number_in(const char* variable, error_code& ec)
{
    ec.clear();
    const char* const value = ::getenv(variable);
    if (value == nullptr) return {};
    const auto number = text::number(value);
    if (!number) ec = errc::bad_manager_variable;
    return number;
}

} // namespace

notifier::notifier(notifier&& other) noexcept : address_(std::move(other.address_)), socket_(std::exchange(other.socket_, -1)) {}

notifier& notifier::operator=(notifier&& other) noexcept
{
    if (this == &other) return *this;
    const unique_fd before(socket_);
    address_ = std::move(other.address_);
    socket_  = std::exchange(other.socket_, -1);
    return *this;
}

notifier::~notifier() { const unique_fd closes(socket_); }

notifier notifier::from_environment(error_code& ec)
{
    ec.clear();
    notifier made;
    const char* const address = ::getenv("NOTIFY_SOCKET");
    if (address == nullptr) return made;
    unique_fd socket = new_fd::socket(AF_UNIX, SOCK_DGRAM, 0);
    ec               = socket ? connect_to(socket.get(), address) : last_error(sys<"socket">);
    if (ec) return made;
    made.address_ = address;
    made.socket_  = socket.release();
    return made;
}

notifier notifier::from_environment()
{
    return or_throw("sharedsock::systemd::notifier::from_environment", [](error_code& ec) { return from_environment(ec); });
}

void notifier::deliver(std::string_view lines, std::span<const int> descriptors, error_code& ec) const
{
    ec.clear();
    if (socket_ < 0) return;
    for (bool connected_anew = false;;) {
        const int error = send_message(socket_, lines, descriptors);
        if (error == EAGAIN) {
            ec = wait_for(socket_, POLLOUT, patience);
        } else if ((error == ECONNREFUSED || error == ENOTCONN || error == ECONNRESET) && !connected_anew) {
            connected_anew = true; // another manager may have taken its place at the same path
            ec             = connect_to(socket_, address_);
        } else {
            if (error != 0) ec = error_of(sys<"sendmsg">, error);
            return;
        }
        if (ec) return;
    }
}

void notifier::send(std::string_view lines, error_code& ec) const { deliver(lines, {}, ec); }

void notifier::ready(error_code& ec) const { send("READY=1", ec); }

void notifier::reloading(error_code& ec) const
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto us = std::uint64_t(now.tv_sec) * 1'000'000 + std::uint64_t(now.tv_nsec) / 1'000;
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us), ec);
}

void notifier::stopping(error_code& ec) const { send("STOPPING=1", ec); }

void notifier::status(std::string_view text, error_code& ec) const
{
    if (text.find('\n') != std::string_view::npos) {
        ec = invalid();
        return;
    }
    send("STATUS=" + std::string(text), ec);
}

void notifier::main_pid(pid_t pid, error_code& ec) const { send("MAINPID=" + std::to_string(pid), ec); }

void notifier::extend_timeout(std::chrono::microseconds by, error_code& ec) const
{
    if (by.count() < 0) {
        ec = invalid();
        return;
    }
    send("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()), ec);
}

void notifier::watchdog(error_code& ec) const { send("WATCHDOG=1", ec); }

void notifier::barrier(std::chrono::milliseconds limit, error_code& ec) const
{
    ec.clear();
    if (socket_ < 0) return;
    unique_fd to_read;
    unique_fd to_write;
    if (!new_fd::pipe(to_read, to_write)) {
        ec = last_error(sys<"pipe2">);
        return;
    }
    const int passed = to_write.get();
    deliver("BARRIER=1", {&passed, 1}, ec); // nothing else may be in this message
    to_write.reset();
    if (!ec) ec = wait_for(to_read.get(), 0, limit); // the manager closes its end when it gets there: POLLHUP
}

void notifier::store(std::string_view name, std::span<const int> descriptors, error_code& ec, drop_when drop) const
{
    ec.clear();
    if (!text::is_descriptor_name(name)) {
        ec = invalid();
        return;
    }
    std::string lines = "FDSTORE=1\nFDNAME=" + std::string(name);
    if (drop == drop_when::removed_only) lines += "\nFDPOLL=0";
    while (!descriptors.empty() && !ec) {
        const auto some = descriptors.first(std::min(descriptors.size(), most_in_message));
        deliver(lines, some, ec);
        descriptors = descriptors.subspan(some.size());
    }
}

void notifier::forget(std::string_view name, error_code& ec) const
{
    if (!text::is_descriptor_name(name)) {
        ec = invalid();
        return;
    }
    send("FDSTOREREMOVE=1\nFDNAME=" + std::string(name), ec);
}

// The throwing forms.
void notifier::send(std::string_view lines) const
{
    or_throw("sharedsock::systemd::notifier::send", [&](error_code& ec) { send(lines, ec); });
}
void notifier::ready() const
{
    or_throw("sharedsock::systemd::notifier::ready", [&](error_code& ec) { ready(ec); });
}
void notifier::reloading() const
{
    or_throw("sharedsock::systemd::notifier::reloading", [&](error_code& ec) { reloading(ec); });
}
void notifier::stopping() const
{
    or_throw("sharedsock::systemd::notifier::stopping", [&](error_code& ec) { stopping(ec); });
}
void notifier::status(std::string_view text) const
{
    or_throw("sharedsock::systemd::notifier::status", [&](error_code& ec) { status(text, ec); });
}
void notifier::main_pid(pid_t pid) const
{
    or_throw("sharedsock::systemd::notifier::main_pid", [&](error_code& ec) { main_pid(pid, ec); });
}
void notifier::extend_timeout(std::chrono::microseconds by) const
{
    or_throw("sharedsock::systemd::notifier::extend_timeout", [&](error_code& ec) { extend_timeout(by, ec); });
}
void notifier::watchdog() const
{
    or_throw("sharedsock::systemd::notifier::watchdog", [&](error_code& ec) { watchdog(ec); });
}
void notifier::barrier(std::chrono::milliseconds limit) const
{
    or_throw("sharedsock::systemd::notifier::barrier", [&](error_code& ec) { barrier(limit, ec); });
}
void notifier::store(std::string_view name, std::span<const int> descriptors, drop_when drop) const
{
    or_throw("sharedsock::systemd::notifier::store", [&](error_code& ec) { store(name, descriptors, ec, drop); });
}
void notifier::forget(std::string_view name) const
{
    or_throw("sharedsock::systemd::notifier::forget", [&](error_code& ec) { forget(name, ec); });
}

std::optional<std::chrono::microseconds> watchdog_period(error_code& ec)
{
    const auto pid    = number_in("WATCHDOG_PID", ec);
    const auto period = ec ? std::nullopt : number_in("WATCHDOG_USEC", ec);
    if (ec || !period || (pid && *pid != static_cast<std::uint64_t>(::getpid()))) return {};
    if (*period == 0 || *period > static_cast<std::uint64_t>(std::chrono::microseconds::max().count())) {
        ec = errc::bad_manager_variable;
        return {};
    }
    return std::chrono::microseconds(static_cast<std::int64_t>(*period));
}

std::optional<std::chrono::microseconds> watchdog_period()
{
    return or_throw("sharedsock::systemd::watchdog_period", [](error_code& ec) { return watchdog_period(ec); });
}

std::optional<std::size_t> store_limit(error_code& ec) { return number_in("FDSTORE", ec); }

std::optional<std::size_t> store_limit()
{
    return or_throw("sharedsock::systemd::store_limit", [](error_code& ec) { return store_limit(ec); });
}

} // namespace sharedsock::systemd
