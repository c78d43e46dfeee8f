// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/mailbox.hpp"

#include "base/descriptor_proof.hpp"
#include "base/file_reading.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
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

std::string box_name(std::uint32_t index) { return "box." + std::to_string(index); }

// thread-self, because /proc/self is empty when the main thread has ended before the others.
sockaddr_un box_address(int directory, std::uint32_t index)
{
    const std::string path = "/proc/thread-self/fd/" + std::to_string(directory) + "/" + box_name(index);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    BOOST_ASSERT(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

unique_fd make_socket() { return new_fd::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0); }

unique_fd connect_to(int directory, std::uint32_t index, error_code& ec)
{
    const sockaddr_un address = box_address(directory, index);
    unique_fd connection      = make_socket();
    if (connection && ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        return connection;
    }
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
        ec = errno == ENOENT && !proc_is_mounted() ? errc::proc_not_mounted : errc::target_gone;
        break;
    case EAGAIN:
        ec = errc::mailbox_full; // of connections that were not accepted
        break;
    default:
        ec = last_error();
    }
    return {};
}

std::uint64_t mark_of(int descriptor)
{
    epoll_event event{};
    event.data.fd = descriptor;
    return event.data.u64;
}

bool watch(int epoll, int descriptor)
{
    epoll_event event{};
    event.events  = EPOLLIN;
    event.data.fd = descriptor;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool broken(int error) { return error == ECONNREFUSED || error == EPIPE || error == ECONNRESET || error == ENOTCONN; }
bool full(int error) { return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS; }
bool no_room(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS; }

error_code out_of_memory() { return {ENOMEM, boost::system::system_category()}; }

bool from_own_user(int connection)
{
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

} // namespace

mailbox::mailbox(int directory) : directory_(directory) {}

mailbox::~mailbox() = default;

void mailbox::open(std::uint32_t self, error_code& ec)
try {
    ec.clear();
    const std::lock_guard guard(mutex_);
    BOOST_ASSERT(!listener_);
    const std::string name    = box_name(self);
    const sockaddr_un address = box_address(directory_, self);
    unique_fd epoll           = new_fd::epoll();
    unique_fd listener        = make_socket();
    if (!epoll || !listener) {
        ec = last_error();
        return;
    }
    ::unlinkat(directory_, name.c_str(), 0); // a dead predecessor's; if it stays, bind says so
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ec = last_error();
        if (ec == boost::system::errc::no_such_file_or_directory && !proc_is_mounted()) ec = errc::proc_not_mounted;
        return;
    }
    // Nobody can connect before listen, so nobody meets the mode that the umask made.
    if (::fchmodat(directory_, name.c_str(), 0600, 0) != 0 || ::listen(listener.get(), backlog) != 0 ||
        !watch(epoll.get(), listener.get())) {
        ec = last_error();
        ::unlinkat(directory_, name.c_str(), 0);
        return;
    }
    listener_ = std::move(listener);
    epoll_    = std::move(epoll);
} catch (const std::bad_alloc&) {
    ec = out_of_memory();
}

void mailbox::close(std::uint32_t self) noexcept
{
    const std::lock_guard guard(mutex_);
    if (listener_) {
        ::unlinkat(directory_, box_name(self).c_str(), 0);
    }
    close_all();
}

void mailbox::abandon() noexcept
{
    const std::lock_guard guard(mutex_);
    close_all();
}

// Takes nothing out of the epoll set: a forked child shares that with its parent.
void mailbox::close_all() noexcept
{
    epoll_.reset();
    listener_.reset();
    incoming_.clear();
    outgoing_.clear();
    unwatched_.clear();
    last_ = -1;
}

// Connections that there was no memory to watch, when they came or ever since.
void mailbox::watch_unwatched(bool& no_room)
{
    std::erase_if(unwatched_, [this](int connection) { return watch(epoll_.get(), connection); });
    no_room |= !unwatched_.empty();
}

void mailbox::send(std::uint32_t to, const letter& text, int descriptor, error_code& ec, const packed_carry* carry)
try {
    const std::lock_guard guard(mutex_);
    for (int attempt = 0; attempt < 2; ++attempt) {
        const int connection = route_to(to, text.receiver_generation, ec);
        if (ec) {
            return;
        }
        const int error = send_letter(connection, text, descriptor, carry);
        if (!broken(error)) {
            ec = full(error) ? error_code(errc::mailbox_full) : error_code(error, boost::system::system_category());
            return;
        }
        outgoing_.erase(to);
    }
    ec = errc::target_gone;
} catch (const std::bad_alloc&) { // before anything was sent
    ec = out_of_memory();
}

unique_fd mailbox::way_to(std::uint32_t to) const
{
    const std::lock_guard guard(mutex_);
    const auto kept = outgoing_.find(to);
    return kept != outgoing_.end() ? new_fd::duplicate(kept->second.connection.get()) : unique_fd();
}

// The kept connection, or a new one. Another tenant of the index is another process, even where a forked child of the former
// keeps the old connection alive.
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
    unique_fd connection = connect_to(directory_, to, ec);
    if (ec == boost::system::errc::too_many_files_open && !outgoing_.empty()) { // what was sent by the one we give up still arrives
        outgoing_.erase(outgoing_.begin());
        ec.clear();
        connection = connect_to(directory_, to, ec);
    }
    if (ec) {
        return -1;
    }
    const std::uint64_t cookie = cookie_of(connection.get());
    return (outgoing_[to] = {std::move(connection), generation, cookie}).connection.get();
}

std::optional<delivered_letter> mailbox::receive(error_code& ec)
{
    ec.clear();
    const std::lock_guard guard(mutex_);
    delivered_letter arrived;
    if (last_ >= 0 && take(last_, arrived) == taken::letter) {
        return arrived;
    }
    bool no_room = false;
    watch_unwatched(no_room);
    for (int round = 0; round < patience; ++round) {
        std::array<epoll_event, 32> ready;
        const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
        bool changed    = false; // there may be more to see, or more room
        for (int i = 0; i < count; ++i) {
            const int connection = ready[static_cast<std::size_t>(i)].data.fd;
            if (connection == listener_.get()) {
                changed |= accept_waiting(no_room);
                continue;
            }
            if (!incoming_.contains(connection)) { // other code has closed our epoll, and this is its own
                continue;
            }
            switch (take(connection, arrived)) {
            case taken::letter:
                last_ = connection;
                return arrived;
            case taken::no_room:
                no_room = true;
                break;
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
    if (no_room) {
        ec = error_code(EMFILE, boost::system::system_category());
    }
    return std::nullopt;
}

mailbox::taken mailbox::take(int connection, delivered_letter& into)
{
    for (int round = 0; round < patience; ++round) {
        peeked_letter message(connection);
        if (message.nothing()) {
            return message.error == EAGAIN ? taken::nothing : no_room(message.error) ? taken::no_room : taken::end;
        }
        if (message.end()) { // an empty message, too: only an enemy sends one
            return taken::end;
        }
        if (message.descriptor_left_behind()) {
            return taken::no_room;
        }
        const bool good = message.acceptable();
        if (good) {
            into = message.deliver(); // before it is consumed: if there is no memory for its carry it stays where it is
        }
        message.consume();
        if (good) {
            return taken::letter;
        }
        count_drop();
    }
    return taken::nothing;
}

// Whether there is a new connection.
bool mailbox::accept_waiting(bool& no_room)
{
    bool accepted = false;
    for (int round = 0; round < backlog; ++round) {
        // All the memory first: once it is accepted, a connection must not be lost with the letters in it.
        std::unordered_map<int, unique_fd> one;
        one.emplace(-1, unique_fd());
        auto spare = one.extract(one.begin());
        incoming_.reserve(incoming_.size() + 1);
        unwatched_.reserve(unwatched_.size() + 1);
        unique_fd connection = new_fd::accept(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK);
        if (!connection && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (!connection) {
            no_room |= detail::no_room(errno);
            break;
        }
        if (!from_own_user(connection.get())) {
            count_drop();
            continue;
        }
        if (!watch(epoll_.get(), connection.get())) unwatched_.push_back(connection.get()); // there may be letters in it already
        spare.key()    = connection.get();
        spare.mapped() = std::move(connection);
        incoming_.insert(std::move(spare));
        accepted = true;
    }
    return accepted;
}

bool mailbox::is_ours() noexcept
{
    const std::lock_guard guard(mutex_);
    return !listener_ || has_entry(epoll_, listener_, EPOLLIN, mark_of(listener_.get()));
}

bool mailbox::prove() noexcept
{
    const std::lock_guard guard(mutex_);
    bool all_are    = true;
    const auto keep = [&](unique_fd& one, bool is_proven) {
        if (is_proven || !one) {
            return;
        }
        (void)one.release();
        all_are = false;
    };
    const bool is_listening = prove_entry(epoll_, listener_, EPOLLIN, listener_ ? mark_of(listener_.get()) : 0);
    for (auto& [number, connection] : incoming_) {
        const bool is_watched = std::find(unwatched_.begin(), unwatched_.end(), number) == unwatched_.end();
        if (is_watched) {
            keep(connection, prove_entry(epoll_, connection, EPOLLIN, mark_of(number)));
        }
    }
    for (auto& [to, one] : outgoing_) {
        keep(one.connection, prove_socket(one.connection, one.cookie));
    }
    keep(listener_, is_listening);
    keep(epoll_, is_listening);
    return all_are;
}

// Out of the epoll set first: the kernel keeps an entry for ever while a forked child has the closed connection open.
void mailbox::forget(int connection)
{
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection, nullptr);
    incoming_.erase(connection);
    std::erase(unwatched_, connection);
    if (last_ == connection) {
        last_ = -1;
    }
}

} // namespace sharedsock::detail
