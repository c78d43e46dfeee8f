// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/service_place.hpp"

#include "base/failure_note.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::note_failure;
using sharedsock::detail::sys;
using sharedsock::detail::uninterrupted;
namespace new_fd = sharedsock::detail::new_fd;

namespace {

constexpr char lock_name[]       = "lock";
constexpr char socket_name[]     = "socket";
constexpr char new_lock_name[]   = "lock.new"; // a holder of the lock alone makes these, so each has one name
constexpr char new_socket_name[] = "socket.new";

// As of a segment: it is a file's name as well.
bool is_service_name(std::string_view name) noexcept
{
    const auto is_letter = [](char one) {
        return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9');
    };
    if (name.empty() || name.size() > 64 || !is_letter(name[0])) return false;
    for (const char one : name)
        if (!is_letter(one) && one != '.' && one != '_' && one != '-') return false;
    return true;
}

// The path of an open directory in proc(5) is short; the directory's own may be longer than a socket's address may be.
sockaddr_un address_in(const std::string& path, int directory, const char* name) noexcept
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int size     = std::snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", path.c_str(), name);
    if (size >= static_cast<int>(sizeof address.sun_path))
        std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/thread-self/fd/%d/%s", directory, name);
    return address;
}

} // namespace

error_code service_place::failed(const char* call, const error_code& ec, const char* name) const noexcept
{
    note_failure(ec, call, directory_ ? directory_.get() : AT_FDCWD, directory_ ? name : (path_ + name).c_str());
    return ec;
}

service_place service_place::open(std::string_view name, const options& how, error_code& ec)
{
    ec.clear();
    service_place place;
    if (!is_service_name(name)) {
        ec = errc::bad_service_name;
        note_failure(ec, "join", AT_FDCWD, std::string(name).c_str());
        return place;
    }
    place.owner_      = how.owner.value_or(::geteuid());
    place.path_       = how.directory + "/sharedsock-restart." + std::to_string(place.owner_) + "." + std::string(name);
    const bool is_new = ::mkdir(place.path_.c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) {
        ec = place.failed("mkdir", last_error(sys<"mkdir">), "");
        return place;
    }
    if (is_new && place.owner_ != ::geteuid() && ::lchown(place.path_.c_str(), place.owner_, static_cast<gid_t>(-1)) != 0) {
        ec = place.failed("lchown", last_error(sys<"lchown">), "");
        ::rmdir(place.path_.c_str());
        return place;
    }
    place.directory_ = new_fd::open(place.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat about {};
    if (!place.directory_) {
        if (errno == ENOENT) return place; // another process has just removed it
        ec = place.failed("openat",
                          errno == EACCES || errno == ENOTDIR || errno == ELOOP ? make_error_code(errc::foreign_service)
                                                                                : last_error(sys<"openat">),
                          "");
    } else if (::fstat(place.directory_.get(), &about) != 0) {
        ec = place.failed("newfstatat", last_error(sys<"newfstatat">), "");
    } else if ((about.st_uid != place.owner_ && about.st_uid != ::geteuid()) || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        ec = place.failed("newfstatat", errc::foreign_service, "");
    }
    if (ec) place.directory_.reset();
    return place;
}

bool service_place::leads_to(const char* name, int file) const noexcept
{
    struct stat named {};
    struct stat open {};
    return ::fstatat(directory_.get(), name, &named, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(file, &open) == 0 &&
           named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

unique_fd service_place::make_lock(const char* name, error_code& ec) const
{
    ec.clear();
    unique_fd file = new_fd::open_at(directory_.get(), name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file && errno != ENOENT) ec = failed("openat", last_error(sys<"openat">), name);
    if (file) give_to_owner(name, ec);
    return file;
}

// Of root's files the owner could neither take the lock nor reach the socket.
void service_place::give_to_owner(const char* name, error_code& ec) const
{
    if (owner_ == ::geteuid() || ::geteuid() != 0) return;
    if (::fchownat(directory_.get(), name, owner_, static_cast<gid_t>(-1), AT_SYMLINK_NOFOLLOW) != 0)
        ec = failed("fchownat", last_error(sys<"fchownat">), name);
}

unique_fd service_place::try_lock(error_code& ec) const
{
    unique_fd file = make_lock(lock_name, ec);
    if (!file) return {};
    if (uninterrupted([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
        if (errno != EWOULDBLOCK) ec = failed("flock", last_error(sys<"flock">), lock_name);
        return {};
    }
    // Another holder may have removed it or replaced it between the two calls.
    if (!leads_to(lock_name, file.get())) return {};
    return file;
}

void service_place::rename(const char* from, const char* to, error_code& ec) const
{
    if (::renameat(directory_.get(), from, directory_.get(), to) != 0) ec = failed("renameat", last_error(sys<"renameat">), to);
}

unique_fd service_place::make_listener(error_code& ec) const
{
    ec.clear();
    unique_fd socket = new_fd::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    if (!socket) {
        ec = last_error(sys<"socket">);
        return {};
    }
    ::unlinkat(directory_.get(), new_socket_name, 0); // of a dead holder
    const sockaddr_un address = address_in(path_, directory_.get(), new_socket_name);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        ec = failed("bind", last_error(sys<"bind">), new_socket_name);
    else if (::fchmodat(directory_.get(), new_socket_name, 0600, 0) != 0) // the umask may have cut it
        ec = failed("fchmodat", last_error(sys<"fchmodat">), new_socket_name);
    else if (give_to_owner(new_socket_name, ec); !ec && ::listen(socket.get(), backlog) != 0)
        ec = failed("listen", last_error(sys<"listen">), new_socket_name);
    return socket;
}

unique_fd service_place::bind(error_code& ec) const
{
    unique_fd socket = make_listener(ec);
    if (!ec) rename(new_socket_name, socket_name, ec);
    if (ec) socket.reset();
    return socket;
}

unique_fd service_place::connect(error_code& ec) const
{
    ec.clear();
    unique_fd socket = new_fd::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    if (!socket) {
        ec = last_error(sys<"socket">);
        return {};
    }
    const sockaddr_un address = address_in(path_, directory_.get(), socket_name);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        // EAGAIN: many connect at this moment.
        if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
            ec = failed("connect", last_error(sys<"connect">), socket_name);
        return {};
    }
    check_peer(socket.get(), ec);
    if (ec) return {};
    return socket;
}

pid_t service_place::check_peer(int connection, error_code& ec) const
{
    ec.clear();
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        ec = last_error(sys<"getsockopt">);
    else if (peer.uid != 0 && peer.uid != ::geteuid() && peer.uid != owner_)
        ec = failed("getsockopt", errc::foreign_service, socket_name);
    return peer.pid;
}

void service_place::renew(unique_fd& lock, unique_fd& listener, error_code& ec) const
{
    ::unlinkat(directory_.get(), new_lock_name, 0); // of a dead holder
    unique_fd new_lock = make_lock(new_lock_name, ec);
    if (!ec && !new_lock)
        ec = failed("openat", {ENOENT, boost::system::system_category()}, new_lock_name); // the directory was removed
    if (!ec && ::flock(new_lock.get(), LOCK_EX | LOCK_NB) != 0) ec = failed("flock", last_error(sys<"flock">), new_lock_name);
    unique_fd new_listener;
    if (!ec) new_listener = make_listener(ec);
    if (!ec) rename(new_lock_name, lock_name, ec);
    if (!ec) lock = std::move(new_lock);
    if (!ec) rename(new_socket_name, socket_name, ec);
    if (!ec) listener = std::move(new_listener);
}

void service_place::remove() const noexcept
{
    for (const char* const name : {new_socket_name, new_lock_name, socket_name, lock_name})
        ::unlinkat(directory_.get(), name, 0);
    ::rmdir(path_.c_str()); // fails if another process has just begun anew there
}

} // namespace sharedsock::restart::detail
