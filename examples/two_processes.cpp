// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Winsock's page "Shared Sockets", as a play for two processes, A and B. Each line of the transcript is a fact that the process
// it names has just checked. A also has the far end of the connection: a plain socket, "the peer".
#include "support/own_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <boost/asio/socket_base.hpp>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;
using namespace std::chrono_literals;

/// One of the two processes, and its end of the two pipes on which they take turns.
class actor {
public:
    actor(std::string called, ss::segment where, int from_other, int to_other)
        : name(std::move(called)),
          segment(std::move(where)),
          from_other_(::fdopen(from_other, "r"), &std::fclose),
          to_other_(::fdopen(to_other, "w"), &std::fclose),
          my_turn_(name == "A")
    {}

    /// Whether it is this process's turn when the play says that it is `who`'s. Waits for it, or lets the other process go on.
    bool turn(const std::string& who)
    {
        if (who == name && !std::exchange(my_turn_, true)) hear();
        if (who != name && std::exchange(my_turn_, false)) tell();
        return my_turn_;
    }

    void says(const std::string& line) const { std::cout << name << ": " << line << std::endl; }

    /// Says the value that was found, and throws if it is not the expected one.
    template <class Value>
    void finds(const std::string& what, const Value& found, const Value& expected) const
    {
        std::ostringstream line;
        line << std::boolalpha << what << ": " << found;
        if (found != expected) {
            line << ", but it has to be " << expected;
            throw std::runtime_error(line.str());
        }
        says(line.str());
    }

    std::string receive(std::size_t count)
    {
        std::string text(count, '\0');
        text.resize(socket.receive(std::as_writable_bytes(std::span(text))));
        return text;
    }

    std::string owner() const
    {
        const auto now = socket.registration();
        if (!now) return "nobody";
        const bool mine = now->owner == segment.self();
        return std::string(mine == (name == "A") ? "A" : "B") + " for " + to_string(now->mask) +
               (now->kind == ss::registration_kind::event_select ? " by event_select" : "");
    }

    std::uint32_t epoch() const { return socket.registration().value().epoch; }

    const std::string name;
    const ss::segment segment;
    ss::shared_socket socket;
    ss::event_object ready;
    std::string note; // goes to the other process with the turn
    int peer = -1;    // A's
    ss::process_id b; // A's

private:
    void tell()
    {
        std::fprintf(to_other_.get(), "%s\n", note.c_str());
        std::fflush(to_other_.get());
    }

    void hear()
    {
        char line[256];
        if (std::fgets(line, sizeof line, from_other_.get()) == nullptr) throw std::runtime_error("the other one is gone");
        note = line;
        note.pop_back();
    }

    using file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

    const file from_other_;
    const file to_other_; // its end tells the other process that this one is gone
    bool my_turn_;
};

/// Connects a shared socket; the far end is a plain one.
void connect(actor& me)
{
    const int listener  = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit = {5, 0}; // no process waits for ever if a step fails
    auto address        = ss::socket_address::loopback(0);
    socklen_t size      = address.size();
    if (::bind(listener, address.data(), size) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, address.data(), &size) != 0) {
        throw std::runtime_error("no port on the loopback interface");
    }
    me.socket = ss::shared_socket::open(me.segment, AF_INET, SOCK_STREAM);
    me.socket.connect(address);
    me.peer = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ::setsockopt(me.peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::close(listener);
}

void peer_sends(const actor& me, const std::string& text)
{
    if (::send(me.peer, text.data(), text.size(), 0) < 0) throw std::runtime_error("the peer cannot send");
}

std::string peer_receives(const actor& me, std::size_t count)
{
    std::string text(count, '\0');
    const ssize_t received = ::recv(me.peer, text.data(), count, MSG_WAITALL);
    if (received < 0) return "nothing within 5 s";
    return received == 0 ? "the end" : text.substr(0, static_cast<std::size_t>(received));
}

// Both processes run this. Each acts in its own turn, and lets the other one act otherwise.
void play(actor& me)
{
    const int on = 1;

    if (me.turn("B")) {
        me.says("I am attached to the segment, and tell my pid");
        me.note = std::to_string(::getpid());
    }
    if (me.turn("A")) {
        connect(me);
        me.b    = me.segment.find_process(std::stoi(me.note)).value();
        me.note = me.socket.duplicate(me.b).to_text();
        me.finds("digits of the ticket that goes to B through a pipe", me.note.size(), std::size_t{128});
    }
    if (me.turn("B")) {
        me.socket = ss::shared_socket::redeem(me.segment, ss::ticket::from_text(me.note));
        me.finds("handles to the socket, when I have redeemed the ticket", me.socket.handles().size(), std::size_t{2});
        me.note = std::to_string(me.socket.id());
    }

    // Options belong to the socket.
    if (me.turn("A")) {
        me.finds("the socket that B has is mine", me.note == std::to_string(me.socket.id()), true);
        me.socket.set_option(boost::asio::socket_base::keep_alive(true));
        me.says("I set SO_KEEPALIVE");
    }
    if (me.turn("B")) {
        boost::asio::socket_base::keep_alive keep_alive;
        me.socket.get_option(keep_alive);
        me.finds("SO_KEEPALIVE is set", keep_alive.value(), true);
        ss::error_code ec;
        me.socket.set_option(IPPROTO_TCP, TCP_NODELAY, &on, sizeof on, ec);
        me.finds("I set TCP_NODELAY", !ec, true);
    }
    if (me.turn("A")) {
        int no_delay = 0;
        ss::error_code ec;
        me.socket.get_option(IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay, ec);
        me.finds("TCP_NODELAY is set", no_delay != 0, true);
    }

    // The data belongs to the socket as well: a byte that one process has read is gone for all.
    if (me.turn("A")) {
        peer_sends(me, "one two ");
        me.finds("of \"one two \" I read", me.receive(4), std::string("one "));
    }
    if (me.turn("B")) {
        me.finds("I read what is left", me.receive(100), std::string("two "));
        me.socket.send("three ");
        me.says("I send \"three \"");
    }
    if (me.turn("A")) {
        me.socket.send("four");
        me.finds("I send \"four\"; the peer reads", peer_receives(me, 10), std::string("three four"));
    }

    // The events have one owner: the process that registered last.
    if (me.turn("A")) {
        me.socket.event_select(me.ready, ss::network_event::read | ss::network_event::close, {.tell_loss = true});
        me.finds("the events belong to", me.owner(), std::string("A for read|close by event_select"));
        me.note = std::to_string(me.epoch());
    }
    if (me.turn("B")) {
        me.finds("the events belong to", me.owner(), std::string("A for read|close by event_select"));
        me.finds("I see the epoch that A sees", std::to_string(me.epoch()), me.note);
        me.socket.event_select(me.ready, ss::network_event::read);
        me.finds("I register too; the events belong to", me.owner(), std::string("B for read by event_select"));
        me.finds("epochs since", me.epoch() - static_cast<std::uint32_t>(std::stoul(me.note)), 1u);
    }
    if (me.turn("A")) {
        me.finds("my event object is signalled", me.ready.wait(5s), true);
        const ss::network_events told = me.socket.enum_network_events(me.ready);
        me.finds("events", to_string(told.occurred), std::string("none"));
        me.finds("I am told that I lost the registration of the epoch", told.lost.value().epoch, me.epoch() - 1);
        me.finds("... to B", told.lost->owner == me.b, true);
        me.finds("the events belong to", me.owner(), std::string("B for read by event_select"));
        peer_sends(me, "ping");
        me.says("the peer sends \"ping\"");
    }
    if (me.turn("B")) {
        me.finds("my event object is signalled", me.ready.wait(5s), true);
        me.finds("events", to_string(me.socket.enum_network_events(me.ready).occurred), std::string("read"));
        me.finds("I read", me.receive(100), std::string("ping"));
    }
    if (me.turn("A")) me.finds("my event object is signalled", me.ready.is_set(), false);

    // The connection ends with the last handle.
    if (me.turn("A")) {
        me.socket.close();
        me.says("I close my handle");
    }
    if (me.turn("B")) {
        me.finds("handles to the socket", me.socket.handles().size(), std::size_t{1});
        me.socket.send("still here");
        me.says("I send \"still here\"");
    }
    if (me.turn("A")) me.finds("the peer reads", peer_receives(me, 10), std::string("still here"));
    if (me.turn("B")) {
        me.socket.close();
        me.says("I close the last one");
    }
    if (me.turn("A")) me.finds("the peer reads", peer_receives(me, 1), std::string("the end"));
}

/// Plays one of the two parts; the exit code.
int act(const std::string& name, const ss::segment& segment, int from_other, int to_other)
{
    try {
        actor me(name, segment, from_other, to_other);
        play(me);
        return 0;
    } catch (const std::exception& difference) {
        std::cerr << name << ": " << difference.what() << std::endl;
        return 1;
    }
}

/// Starts this program anew, as B, with its ends of the pipes as arguments.
pid_t start_b(const std::string& segment, const int (&to_b)[2], const int (&to_a)[2])
{
    for (const int mine : {to_b[1], to_a[0]})
        ::fcntl(mine, F_SETFD, FD_CLOEXEC);
    std::string words[] = {"two_processes", segment, std::to_string(to_b[0]), std::to_string(to_a[1])};
    char* arguments[]   = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    pid_t pid           = 0;
    const int failed    = ::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments, environ);
    ::close(to_b[0]);
    ::close(to_a[1]);
    if (failed != 0) throw ss::system_error(failed, boost::system::system_category(), "posix_spawn");
    return pid;
}

int play_both()
{
    const std::string name = play::name_of("two_processes");
    const play::own_segment segment(name);
    int to_b[2], to_a[2], b_status = 0;
    if (::pipe(to_b) != 0 || ::pipe(to_a) != 0) throw std::runtime_error("no pipes");
    const pid_t b = start_b(name, to_b, to_a);

    const int a_status = act("A", segment.here, to_a[0], to_b[1]);
    ::waitpid(b, &b_status, 0);
    if (a_status == 0 && b_status == 0) std::cout << "All of it was true." << std::endl;
    return a_status == 0 && b_status == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN); // the other process is gone: this one says so, and removes the segment
    try {
        if (argc == 4) return act("B", ss::segment::open(argv[1]), std::stoi(argv[2]), std::stoi(argv[3]));
        return play_both();
    } catch (const std::exception& failure) {
        std::cerr << "two_processes: " << failure.what() << std::endl;
        return 1;
    }
}
