// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/mailbox.hpp"

#include "base/denied.hpp"
#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/failure_note.hpp"
#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "ipc/mail_path.hpp"
#include "store/file_access.hpp"

#include <boost/assert.hpp>

#include <array>
#include <cerrno>
#include <mutex>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace sharedsock::detail {

namespace {

constexpr int backlog  = 4096;
constexpr int patience = 1024; // rounds that a hostile sender may keep one call busy
constexpr int attempts = 16;   // to send a message: the receiver expires connections while others make too many

bool broken(int error) { return error == ECONNREFUSED || error == EPIPE || error == ECONNRESET || error == ENOTCONN; }
bool full(int error) { return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS; }

error_code out_of_memory() { return {ENOMEM, boost::system::system_category()}; }
} // namespace

mailbox::mailbox(int directory, mail_peers& peers) : directory_(directory), peers_(peers) {}

mailbox::~mailbox() = default;

void mailbox::open(std::uint32_t self, error_code& ec) noexcept
{
    ec.clear();
    const std::lock_guard guard(mutex_);
    BOOST_ASSERT(!listener_);
    const short_text name     = mail_path::name_of(self);
    const sockaddr_un address = mail_path::address_of(mail_path::through(directory_, name));
    unique_fd epoll           = new_fd::epoll();
    unique_fd listener        = mail_path::make_socket();
    if (!epoll || !listener) {
        ec = last_error(epoll ? sys<"socket"> : sys<"epoll_create1">);
        return;
    }
    // The socket of a dead predecessor; if it stays, bind fails.
    const error_code denied = if_denied(sys<"unlinkat">, ::unlinkat(directory_, name.c_str(), 0));
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ec = errno == EADDRINUSE && denied ? denied : mail_path::last_error_of_file(sys<"bind">);
        note_failure(ec, "bind", directory_, name.c_str());
        return;
    }
    // No process can connect before listen, so none meets the mode that the umask made.
    const call_category* failed = nullptr;
    unique_fd path              = mail_path::open(directory_, self, failed);
    if (!path) {
        ec = mail_path::last_error_of_file(*failed);
    } else if (::fchmodat(AT_FDCWD, mail_path::through(path.get()).c_str(), file_in_ways, 0) != 0) {
        ec = last_error(sys<"fchmodat">);
    } else if (::listen(listener.get(), backlog) != 0) {
        ec = last_error(sys<"listen">);
    } else if (!add_to_epoll(epoll.get(), listener.get(), EPOLLIN, mark_of(listener.get()))) {
        ec = last_error(sys<"epoll_ctl">);
    }
    if (ec) {
        ::unlinkat(directory_, name.c_str(), 0);
        return;
    }
    path_mark_ = file_mark(path.get());
    path_      = std::move(path);
    listener_  = std::move(listener);
    epoll_     = std::move(epoll);
}

// The order matters: no process can connect any more, then the connections that wait are accepted, then no connection takes a
// message any more. The listener would be shown as readable for ever from here on, so it is watched for nothing.
void mailbox::refuse(std::uint32_t self, error_code& ec)
try {
    ec.clear();
    const std::lock_guard guard(mutex_);
    if (!listener_ || refuses_) return;
    ::unlinkat(directory_, mail_path::name_of(self).c_str(), 0);
    if (::shutdown(listener_.get(), SHUT_RD) != 0)
        ec = last_error(sys<"shutdown">);
    else if (!change_in_epoll(epoll_.get(), listener_.get(), 0, mark_of(listener_.get())))
        ec = last_error(sys<"epoll_ctl">);
    if (ec) return;
    refuses_ = true;
    accept_waiting(ec);
    incoming_.end_all();
} catch (const std::bad_alloc&) { // connections still wait; `receive` accepts and ends them
    ec = out_of_memory();
}

// A connection that expires may be the one that yielded a message last, and its number may be another file's next.
bool mailbox::accept_waiting(error_code& ec)
{
    const bool some = incoming_.accept_from(listener_.get(), epoll_.get(), peers_, ec);
    dropped_.fetch_add(incoming_.take_strangers(), std::memory_order_relaxed);
    if (!incoming_.contains(last_)) last_ = -1;
    return some;
}

std::uint32_t mailbox::listener_events() const noexcept { return refuses_ ? 0u : std::uint32_t{EPOLLIN}; }

void mailbox::close(std::uint32_t self) noexcept
{
    const std::lock_guard guard(mutex_);
    if (listener_) {
        ::unlinkat(directory_, mail_path::name_of(self).c_str(), 0);
    }
    free_abandoned();
    close_all();
}

void mailbox::abandon() noexcept
{
    const std::lock_guard guard(mutex_);
    close_all();
}

// Takes nothing out of the epoll set: a forked child shares that with its parent. Frees no memory.
void mailbox::close_all() noexcept
{
    BOOST_ASSERT(abandoned_.empty());
    epoll_.reset();
    listener_.reset();
    path_.reset();
    incoming_.abandon();
    for (auto& [to, one] : outgoing_)
        one.connection.reset();
    abandoned_.swap(outgoing_);
    last_    = -1;
    refuses_ = false;
}

void mailbox::free_abandoned() noexcept
{
    incoming_.free_abandoned();
    abandoned_.clear();
}

void mailbox::send(std::uint32_t to, const mail_message& text, int descriptor, error_code& ec, const packed_carry* carry)
try {
    const std::lock_guard guard(mutex_);
    for (int attempt = 0; attempt < attempts; ++attempt) {
        const int connection = route_to(to, text.receiver_generation, ec);
        if (ec) {
            return;
        }
        const int error = send_message(connection, text, descriptor, carry);
        if (!broken(error)) {
            ec = full(error) ? error_code(errc::mailbox_full) : error_of(sys<"sendmsg">, error);
            return;
        }
        outgoing_.erase(to);
    }
    ec = errc::mailbox_full;      // a process listens there, with more senders than connections
} catch (const std::bad_alloc&) { // before anything was sent
    ec = out_of_memory();
}

bool mailbox::is_of(std::uint32_t index, uid_t user) const noexcept
{
    struct stat what {};
    return ::fstatat(directory_, mail_path::name_of(index).c_str(), &what, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(what.st_mode) &&
           what.st_uid == user;
}

unique_fd mailbox::way_to(std::uint32_t to) const
{
    const std::lock_guard guard(mutex_);
    const auto kept = outgoing_.find(to);
    return kept != outgoing_.end() ? new_fd::duplicate(kept->second.connection.get()) : unique_fd();
}

unique_fd mailbox::connect_to(std::uint32_t index, error_code& ec)
{
    peers_.note_own_user();
    const call_category* failed = nullptr;
    unique_fd path              = mail_path::open(directory_, index, failed);
    unique_fd connection        = path ? mail_path::connect(mail_path::through(path.get()), failed) : unique_fd();
    if (!connection && (errno == EMFILE || errno == ENFILE)) { // a connection alone may have room: it is looked at afterwards
        path.reset();
        connection = mail_path::connect(mail_path::through(directory_, mail_path::name_of(index)), failed);
        if (connection && mail_path::listener_of(connection) != peers_.find_box(index).pid) {
            connection.reset();
            errno = ECONNREFUSED;
        }
    }
    if (connection) return connection;
    switch (errno) {
    case ENOENT:
        if (!proc_is_mounted()) {
            ec = errc::proc_not_mounted;
            break;
        }
        return connect_around(index, false, ec);
    case ECONNREFUSED:
        return connect_around(index, true, ec);
    case EAGAIN:
        ec = errc::mailbox_full; // its backlog of connections that were not accepted is full
        break;
    default:
        ec = mail_path::last_error_of_file(*failed);
        note_failure(ec, failed->call(), directory_, mail_path::name_of(index).c_str());
    }
    return {};
}

// By the descriptor of its path that the process keeps. /proc may be of another pid namespace: the kernel names the listener.
//
// `named`: the mailbox has its name, and no process listens there, so nothing was deleted. Then, and where the process has not got
// the descriptor that it describes, it is beginning or ending: the kernel closes its mailbox before its liveness lock.
unique_fd mailbox::connect_around(std::uint32_t index, bool named, error_code& ec)
{
    using kind     = mail_peers::box_place::kind;
    const auto box = peers_.find_box(index);
    bool gone      = box.what == kind::gone || (named && box.what == kind::described);
    if (box.what == kind::described && box.pid > 0) {
        const call_category* failed = nullptr;
        unique_fd connection        = mail_path::connect(short_text("/proc/", box.pid, "/fd/", box.number), failed);
        if (!connection) {
            gone = gone || errno == ENOENT || errno == ECONNREFUSED;
        } else if (mail_path::listener_of(connection) == box.pid) {
            ec.clear();
            return connection;
        } else {
            gone = true;
        }
    }
    gone = gone || peers_.find_box(index).what == kind::gone;
    ec   = gone ? errc::target_gone : errc::paths_lost;
    if (!gone) note_failure(ec, "connect", directory_, mail_path::name_of(index).c_str());
    return {};
}

// The kept connection, or a new one. Another incarnation of the index is another process, even where a forked child of the former
// one keeps the old connection alive.
int mailbox::route_to(std::uint32_t to, std::uint32_t generation, error_code& ec)
{
    ec.clear();
    const auto kept = outgoing_.find(to);
    if (kept != outgoing_.end() && kept->second.generation == generation) {
        return kept->second.connection.get();
    }
    if (kept != outgoing_.end()) {
        outgoing_.erase(kept);
    }
    unique_fd connection = connect_to(to, ec);
    if (ec == boost::system::errc::too_many_files_open && !outgoing_.empty()) { // messages that were sent through it still arrive
        outgoing_.erase(outgoing_.begin());
        ec.clear();
        connection = connect_to(to, ec);
    }
    if (ec) {
        return -1;
    }
    const std::uint64_t cookie = cookie_of(connection.get());
    return (outgoing_[to] = {std::move(connection), generation, cookie}).connection.get();
}

std::optional<delivered_message> mailbox::receive(error_code& ec)
{
    ec.clear();
    const std::lock_guard guard(mutex_);
    delivered_message arrived;
    error_code trouble; // why one that waits cannot be had; the others can be had all the same
    if (last_ >= 0 && take(last_, arrived, trouble) == taken::mail_message) {
        return arrived;
    }
    if (refuses_) { // connections that found no room before
        accept_waiting(trouble);
        incoming_.end_all();
    }
    incoming_.watch_unwatched(epoll_.get(), trouble);
    for (int round = 0; round < patience; ++round) {
        std::array<epoll_event, 32> ready;
        const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
        if (count < 0 && errno != EINTR) trouble = last_error(sys<"epoll_wait">);
        bool changed = false; // there may be more to see, or more room
        for (int i = 0; i < count; ++i) {
            const int connection = ready[static_cast<std::size_t>(i)].data.fd;
            if (connection == listener_.get()) {
                changed |= accept_waiting(trouble);
                continue;
            }
            if (!incoming_.contains(connection)) continue; // expired since it was shown, or other code closed the epoll
            switch (take(connection, arrived, trouble)) {
            case taken::mail_message:
                last_ = connection;
                return arrived;
            case taken::end:
                forget(connection);
                changed = true;
                break;
            case taken::nothing:
                break;
            }
        }
        if (!changed) {
            break;
        }
    }
    ec = trouble;
    return std::nullopt;
}

mailbox::taken mailbox::take(int connection, delivered_message& into, error_code& trouble)
{
    bool ended = false;
    for (int round = 0; round < patience; ++round) {
        peeked_message message(connection);
        if (message.nothing()) {
            if (broken(message.error)) return taken::end;
            if (message.error != EAGAIN) trouble = error_of(sys<"recvmsg">, message.error); // it stays there
            return taken::nothing;
        }
        // The kernel looks for a message, and only then for the end: a message that came in between, whose sender closed at
        // once, is there at the second look. An empty message counts as an end: only an enemy sends one.
        if (message.end()) {
            if (std::exchange(ended, true)) return taken::end;
            continue;
        }
        if (message.descriptor_left_behind()) {
            trouble.assign(EMFILE, boost::system::system_category());
            return taken::nothing;
        }
        const bool good = message.acceptable();
        if (!good || message.text.what == mail_message::kind::hand_over) { // `acceptable` does not look at its socket
            if (const error_code unknown = message.cannot_tell()) {
                trouble = unknown;
                return taken::nothing;
            }
        }
        if (good) {
            into = message.deliver(); // before it is consumed: if there is no memory for its carry it stays where it is
        }
        if (const error_code ec = message.consume()) {
            trouble = ec;
            return taken::nothing;
        }
        if (good) {
            incoming_.heard_from(connection);
            return taken::mail_message;
        }
        count_drop();
    }
    return taken::nothing;
}

bool mailbox::is_ours() noexcept
{
    const std::lock_guard guard(mutex_);
    return !listener_ || has_entry(epoll_, listener_, listener_events(), mark_of(listener_.get()));
}

bool mailbox::prove() noexcept
{
    const std::lock_guard guard(mutex_);
    const bool is_listening = prove_entry(epoll_, listener_, listener_events(), listener_ ? mark_of(listener_.get()) : 0);
    bool all_are            = incoming_.prove(epoll_);
    for (auto& [to, one] : outgoing_)
        all_are &= keep_proven(one.connection, prove_socket(one.connection, one.cookie));
    all_are &= keep_proven(listener_, is_listening);
    all_are &= keep_proven(epoll_, is_listening);
    all_are &= keep_proven(path_, path_mark_.prove(path_));
    return all_are;
}

void mailbox::forget(int connection)
{
    incoming_.forget(connection, epoll_.get());
    if (last_ == connection) {
        last_ = -1;
    }
}

} // namespace sharedsock::detail
