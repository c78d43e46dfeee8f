// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A build that checks the order of locks finds a wrong order. Built only with SHAREDSOCK_CHECK_LOCK_RANKS.
#include "attach/fork_hook.hpp"
#include "base/ranked_mutex.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <csignal>
#include <cstddef>
#include <mutex>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss     = sharedsock;
namespace detail = sharedsock::detail;

using detail::lock_rank;
using detail::ranked_mutex;

namespace {

struct pipe_pair {
    pipe_pair() { REQUIRE(::pipe(ends) == 0); } // inherited by the child
    ~pipe_pair()
    {
        ::close(ends[0]);
        close_writing();
    }
    void close_writing()
    {
        if (ends[1] >= 0) ::close(std::exchange(ends[1], -1));
    }
    std::string rest()
    {
        close_writing();
        std::string all;
        char some[256];
        for (ssize_t got = 0; (got = ::read(ends[0], some, sizeof some)) > 0;)
            all.append(some, static_cast<std::size_t>(got));
        return all;
    }
    int ends[2];
};

// The text of a child in that role on stderr before it aborts.
std::string last_words_of(const std::string& role)
{
    pipe_pair words;
    test::child_process child(role, {std::to_string(words.ends[1])});
    CHECK(child.wait() == -SIGABRT);
    return words.rest();
}

void speak_through(const test::role_context& role) { ::dup2(std::stoi(role.args.at(0)), STDERR_FILENO); }

} // namespace

SHAREDSOCK_CHILD_ROLE("takes a lock that stands above one that it holds")
{
    speak_through(role);
    ranked_mutex<lock_rank::attachment> first;
    ranked_mutex<lock_rank::local_registration> second;
    const std::scoped_lock outer(first);
    const std::scoped_lock inner(second);
    return 0;
}

TEST_CASE("a thread that takes a lock above one that it holds aborts with the names of both", "[fault-113]")
{
    const std::string words = last_words_of("takes a lock that stands above one that it holds");
    CHECK(words.find("local_registration is taken while this thread holds attachment") != std::string::npos);
}

SHAREDSOCK_CHILD_ROLE("takes two locks of one rank")
{
    speak_through(role);
    ranked_mutex<lock_rank::mailbox> one, another;
    const std::scoped_lock outer(one);
    const std::scoped_lock inner(another);
    return 0;
}

TEST_CASE("a thread that takes two locks of one rank aborts", "[fault-113]")
{
    const std::string words = last_words_of("takes two locks of one rank");
    CHECK(words.find("mailbox is taken while this thread holds mailbox") != std::string::npos);
}

SHAREDSOCK_CHILD_ROLE("makes a call on a socket while it holds a lock of its own")
{
    speak_through(role);
    test::scratch_segment segment;
    ss::shared_socket socket = ss::shared_socket::open(segment, AF_INET, SOCK_STREAM);
    ss::segment::remove(segment.name(), segment.options(), true); // an abort runs no destructor
    ranked_mutex<lock_rank::death_watch> held;
    const std::scoped_lock lock(held);
    socket.cancel_registration();
    return 0;
}

TEST_CASE("a call that may have to tell registrations of a loss aborts under any lock of a lower rank", "[fault-113]")
{
    const std::string words = last_words_of("makes a call on a socket while it holds a lock of its own");
    CHECK(words.find("local_registration is taken while this thread holds death_watch") != std::string::npos);
}

SHAREDSOCK_CHILD_ROLE("joins the fork registry under a lock")
{
    speak_through(role);
    ranked_mutex<lock_rank::event_poller> held;
    const std::scoped_lock lock(held);
    const ss::event_object made;
    return 0;
}

TEST_CASE("a thread that makes an event object under a lock that fork waits for aborts", "[fault-113]")
{
    const std::string words = last_words_of("joins the fork registry under a lock");
    CHECK(words.find("fork_registry is taken while this thread holds event_poller") != std::string::npos);
}

SHAREDSOCK_CHILD_ROLE("forks with objects that were made in the opposite order of their locks")
{
    test::scratch_segment segment;
    ss::event_object event;
    ss::segment again = ss::segment::open(segment.name());
    test::connection pair(again), other(segment);
    pair.socket.event_select(event, ss::network_event::read);
    boost::asio::io_context io;
    ss::stream stream(io, std::move(other.socket));
    const pid_t child = ::fork();
    if (child == 0) {
        // The child's locks are free: it uses each of them once more, and forks.
        ss::error_code ec;
        pair.socket.event_select(event, ss::network_event::read, {}, ec);
        const pid_t grandchild = ::fork();
        if (grandchild == 0) ::_exit(0);
        int ended = -1;
        ::_exit(!ec && ::waitpid(grandchild, &ended, 0) == grandchild && ended == 0 ? 0 : 1);
    }
    int status = -1;
    if (::waitpid(child, &status, 0) != child) return 2;
    pair.socket.cancel_registration(); // the parent's are free, too
    return status == 0 ? 0 : 1;
}

TEST_CASE("fork takes the library's locks in the order of their ranks, in whatever order their objects were made", "[fault-116]")
{
    test::child_process child("forks with objects that were made in the opposite order of their locks");
    CHECK(child.wait() == 0);
}
