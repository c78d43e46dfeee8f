// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/mail_path.hpp"

#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "store/segment_directory.hpp"

#include <boost/assert.hpp>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace sharedsock::detail::mail_path {

short_text name_of(std::uint32_t index) noexcept { return short_text("box.", index); }

// thread-self, because /proc/self is empty when the main thread has ended before the others.
short_text through(int descriptor) noexcept { return short_text("/proc/thread-self/fd/", descriptor); }

short_text through(int directory, const short_text& name) noexcept { return short_text(through(directory), "/", name); }

sockaddr_un address_of(const short_text& path) noexcept
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    BOOST_ASSERT(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

unique_fd make_socket() { return new_fd::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0); }

unique_fd open(int directory, std::uint32_t index, const call_category*& failed)
{
    failed         = &sys<"openat">;
    unique_fd path = new_fd::open_at(directory, name_of(index).c_str(), O_PATH | O_NOFOLLOW);
    if (!path) return {};
    struct stat what {};
    failed          = &fstat_call;
    const int error = ::fstat(path.get(), &what) != 0 ? errno : S_ISSOCK(what.st_mode) ? 0 : ECONNREFUSED;
    if (error != 0) path.reset();
    errno = error;
    return path;
}

unique_fd connect(const short_text& path, const call_category*& failed)
{
    const sockaddr_un address = address_of(path);
    unique_fd connection      = make_socket();
    failed                    = connection ? &sys<"connect"> : &sys<"socket">;
    if (connection && ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int why = errno;
        connection.reset();
        errno = why;
    }
    return connection;
}

pid_t listener_of(const unique_fd& connection) noexcept
{
    ucred listener{};
    socklen_t size = sizeof listener;
    return ::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0 ? listener.pid : -1;
}

error_code last_error_of_file(const call_category& call) noexcept
{
    if (errno == EACCES) return errc::access_denied;
    if (errno == ENOENT) return proc_is_mounted() ? errc::paths_lost : errc::proc_not_mounted;
    return entry_error(call);
}

} // namespace sharedsock::detail::mail_path
