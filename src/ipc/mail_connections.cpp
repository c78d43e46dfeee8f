// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/mail_connections.hpp"

#include "base/denied.hpp"
#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr int rounds = 4096; // as many as the backlog holds

bool denied(int error) noexcept { return error == EPERM || error == EACCES || error == ENOSYS; }

bool is_let_in(int connection, const mail_peers& peers) noexcept
{
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == ::geteuid() || peers.is_user(peer.uid));
}

enum class content { mail_message, nothing, end };

content look_into(int connection) noexcept
{
    char byte           = 0;
    const ssize_t found = uninterrupted([&] { return ::recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT); });
    if (found > 0) return content::mail_message;
    if (found == 0) return content::end;
    return errno == EAGAIN ? content::nothing : content::mail_message; // in doubt a message waits: it must not be thrown away
}

} // namespace

std::size_t mail_connections::limit() noexcept
{
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 8;
    return static_cast<std::size_t>(std::clamp<rlim_t>(descriptors.rlim_cur / 16, 8, 256));
}

bool mail_connections::accept_from(int listener, int epoll, const mail_peers& peers, error_code& ec)
{
    ucred peer{};
    socklen_t size = sizeof peer; // without its answer every process would look like a stranger
    if (const error_code denied = if_denied(sys<"getsockopt">, ::getsockopt(listener, SOL_SOCKET, SO_PEERCRED, &peer, &size))) {
        ec = denied;
        return false;
    }
    bool some                  = false;
    const std::size_t most     = limit();
    const std::uint64_t before = clock_ + 1; // connections of this call have had no occasion to send
    for (int round = 0; round < rounds; ++round) {
        if (open_.size() > most && !expire_one(before, epoll)) break;
        // All the memory first: once it is accepted, a connection must not be lost with the messages in it.
        std::unordered_map<int, incoming> one;
        one.emplace(-1, incoming{});
        auto spare = one.extract(one.begin());
        open_.reserve(open_.size() + 1);
        unwatched_.reserve(unwatched_.size() + 1);
        unique_fd accepted = new_fd::accept(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (!accepted && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (!accepted) {
            if (errno != EAGAIN && errno != EINVAL) // EINVAL: the listener is shut down, and no connection waits
                ec = denied(errno) ? make_error_code(errc::mailbox_denied) : last_error(sys<"accept4">);
            break;
        }
        if (!is_let_in(accepted.get(), peers)) {
            ++strangers_;
            continue;
        }
        if (!add_to_epoll(epoll, accepted.get(), EPOLLIN, mark_of(accepted.get()))) { // there may be messages in it already
            ec = last_error(sys<"epoll_ctl">);
            unwatched_.push_back(accepted.get());
        }
        spare.key()    = accepted.get();
        spare.mapped() = {std::move(accepted), ++clock_, false};
        open_.insert(std::move(spare));
        some = true;
    }
    return some;
}

void mail_connections::watch_unwatched(int epoll, error_code& ec) noexcept
{
    std::erase_if(unwatched_, [&](int connection) {
        if (add_to_epoll(epoll, connection, EPOLLIN, mark_of(connection))) return true;
        ec = last_error(sys<"epoll_ctl">);
        return false;
    });
}

void mail_connections::heard_from(int connection) noexcept
{
    if (const auto found = open_.find(connection); found != open_.end()) found->second.heard = ++clock_;
}

// Expires the connection that has been silent longest, of those that were last heard from before `before` and in which no message
// waits. False if there is none.
bool mail_connections::expire_one(std::uint64_t before, int epoll)
{
    std::vector<std::pair<std::uint64_t, int>> silent;
    for (const auto& [descriptor, one] : open_)
        if (one.heard < before) silent.emplace_back(one.heard, descriptor);
    std::sort(silent.begin(), silent.end());
    for (const auto& [heard, descriptor] : silent) {
        incoming& one = open_.at(descriptor);
        if (look_into(descriptor) == content::mail_message) continue;
        // From here on the kernel takes no message for it; one that came in between is still there and is read in its turn.
        if (!std::exchange(one.ends, true)) ::shutdown(descriptor, SHUT_RD);
        if (look_into(descriptor) == content::mail_message) continue;
        forget(descriptor, epoll);
        return true;
    }
    return false;
}

void mail_connections::end_all() noexcept
{
    for (auto& [descriptor, one] : open_)
        if (!std::exchange(one.ends, true)) ::shutdown(descriptor, SHUT_RD);
}

// Out of the epoll set first: the kernel keeps an entry for ever while a forked child has the closed connection open.
void mail_connections::forget(int connection, int epoll) noexcept
{
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, connection, nullptr);
    open_.erase(connection);
    std::erase(unwatched_, connection);
}

bool mail_connections::prove(unique_fd& epoll) noexcept
{
    bool all_are = true;
    for (auto& [number, one] : open_) {
        const bool is_watched = std::find(unwatched_.begin(), unwatched_.end(), number) == unwatched_.end();
        if (is_watched) all_are &= keep_proven(one.descriptor, prove_entry(epoll, one.descriptor, EPOLLIN, mark_of(number)));
    }
    return all_are;
}

void mail_connections::abandon() noexcept
{
    for (auto& [number, one] : open_)
        one.descriptor.reset();
    BOOST_ASSERT(abandoned_.empty());
    abandoned_.swap(open_);
    unwatched_.clear(); // keeps its memory
}

std::uint64_t mail_connections::take_strangers() noexcept { return std::exchange(strangers_, 0); }

} // namespace sharedsock::detail
