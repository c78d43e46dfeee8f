// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// No Asio: event objects in an epoll(7) loop. Two processes hold one listener and take turns at accepting; each sends back
// what it receives. When one of them is killed, its turn passes on.
#include <sharedsock/sharedsock.hpp>

#include <array>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;
using namespace std::chrono_literals;

class server {
public:
    server(ss::shared_socket& listener, std::string name) : listener_(listener), name_(std::move(name)) {}

    /// Serves until `stop` is readable.
    void run(int stop)
    {
        watch(stop);
        watch(my_turn_.native_handle());
        listener_.stand_by(my_turn_, ss::network_event::accept);
        for (;;) {
            std::array<epoll_event, 64> ready;
            const int count = ::epoll_wait(epoll_, ready.data(), ready.size(), -1);
            for (int i = 0; i < count; ++i) {
                const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
                if (descriptor == stop) return;
                if (descriptor == my_turn_.native_handle())
                    take_turn();
                else
                    serve(descriptor);
            }
        }
    }

private:
    struct client {
        ss::shared_socket socket;
        ss::event_object ready{};
        std::string unsent{};
    };

    void watch(int descriptor) const
    {
        epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) throw std::runtime_error("epoll_ctl");
    }

    void take_turn()
    {
        if (!my_turn_.is_set()) return; // the library had work of its own
        listener_.enum_network_events(my_turn_);
        ss::error_code ec;
        client accepted{listener_.accept(ec)};
        if (!ec) {
            accepted.socket.event_select(accepted.ready,
                                         ss::network_event::read | ss::network_event::write | ss::network_event::close);
            const int descriptor = accepted.ready.native_handle();
            watch(descriptor);
            clients_.emplace(descriptor, std::move(accepted));
        }
        listener_.pass_on(ec); // the other one accepts next
    }

    void serve(int descriptor)
    {
        client& one = clients_.at(descriptor);
        one.socket.enum_network_events(one.ready); // resets the object; the calls below show what has happened
        if (!talk(one)) clients_.erase(descriptor);
    }

    /// Receives and sends for as long as that is possible without waiting; false at the end of the connection. A call that would
    /// block re-enables the event that tells when to try again.
    bool talk(client& one) const
    {
        ss::error_code ec;
        while (!ec) {
            if (one.unsent.empty()) {
                std::array<std::byte, 4096> room;
                const std::size_t count = one.socket.receive(room, 0, ec);
                if (ec) break;
                if (count == 0) return false;
                one.unsent = name_ + ": " + std::string(reinterpret_cast<const char*>(room.data()), count);
            }
            one.unsent.erase(0, one.socket.send(std::as_bytes(std::span(one.unsent)), 0, ec));
        }
        return ec == std::errc::operation_would_block;
    }

    ss::shared_socket& listener_;
    const std::string name_;
    const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    ss::event_object my_turn_;
    std::unordered_map<int, client> clients_; // by the descriptor of their event object
};

// --- starting two of them, and trying them ----------------------------------------------------------------------------------

pid_t start_server(ss::shared_socket& listener, const std::string& name, const int (&stop)[2])
{
    const pid_t pid = ::fork(); // the library makes the child a member of the segment, with a handle of its own
    if (pid != 0) return pid;
    ::close(stop[1]); // so that the end of the parent, however it comes, can be read from the other end
    try {
        server(listener, name).run(stop[0]);
        listener.close();
        ::_exit(0);
    } catch (const std::exception& failure) {
        std::cerr << name << ": " << failure.what() << std::endl;
        ::_exit(1);
    }
}

/// Waits until one process owns the listener's events and `standing_by` more stand by.
void wait_for_line(const ss::shared_socket& listener, std::size_t standing_by)
{
    const auto in_line = [&] {
        const auto all = listener.handles();
        return std::size_t(std::count_if(all.begin(), all.end(), [](const auto& each) { return each.standing_by; }));
    };
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!listener.registration() || in_line() != standing_by) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the servers do not stand by");
        ::usleep(1'000);
    }
}

std::string ask(const ss::socket_address& address, const std::string& question)
{
    const int socket    = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit = {5, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::array<char, 256> room;
    ssize_t count = -1;
    if (::connect(socket, address.data(), address.size()) == 0 &&
        ::send(socket, question.data(), question.size(), MSG_NOSIGNAL) > 0) {
        count = ::recv(socket, room.data(), room.size(), 0);
    }
    ::close(socket);
    return count <= 0 ? "no answer" : std::string(room.data(), static_cast<std::size_t>(count));
}

void expect(const std::string& answer, const std::string& wanted)
{
    std::cout << answer << std::endl;
    if (answer != wanted) throw std::runtime_error("this should have been \"" + wanted + '"');
}

void run()
{
    const ss::segment segment = ss::segment::create_unnamed(); // the segment goes with the last process that is attached
    auto listener             = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const auto address        = listener.local_address();
    int stop[2];
    if (::pipe(stop) != 0) throw std::runtime_error("no pipe");

    const pid_t first = start_server(listener, "first server", stop);
    wait_for_line(listener, 0);
    const pid_t second = start_server(listener, "second server", stop);
    wait_for_line(listener, 1);

    for (const std::string question : {"one", "three", "five"}) {
        expect(ask(address, question), "first server: " + question);
        expect(ask(address, "and then?"), "second server: and then?");
    }
    std::cout << "the first server is killed, when it is its turn" << std::endl;
    ::kill(first, SIGKILL);
    expect(ask(address, "who is left?"), "second server: who is left?");
    expect(ask(address, "and now?"), "second server: and now?");

    ::close(stop[1]);
    int killed = 0, ended = 0;
    ::waitpid(first, &killed, 0);
    ::waitpid(second, &ended, 0);
    if (ended != 0) throw std::runtime_error("the second server failed");
    std::cout << "8 questions, 8 answers" << std::endl;
}

} // namespace

int main()
{
    try {
        run();
        return 0;
    } catch (const std::exception& failure) {
        std::cerr << "foreign_loop: " << failure.what() << std::endl;
        return 1;
    }
}
