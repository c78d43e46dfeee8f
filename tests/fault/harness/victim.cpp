// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "fault/harness/failing_new.hpp"
#include "fault/operations/public_operations.hpp"
#include "support/carry_pattern.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace test {

ss::segment_options options_in(const std::string& directory)
{
    ss::segment_options options;
    options.sockets   = 16;
    options.processes = 8;
    options.directory = directory;
    return options;
}

void victim::own()
{
    hold();
    socket.event_select(event, ss::network_event::read | ss::network_event::write | ss::network_event::close);
}

void victim::listen()
{
    attach();
    listener = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
}

void victim::hand_over(ss::process_id target, std::size_t count)
{
    ss::hand_over_unacknowledged(std::move(socket), target, {carry_pattern(count, count), count});
}

void victim::give(ss::process_id target, std::size_t count)
{
    given = ss::pending_hand_over(std::move(socket), target, {carry_pattern(count, count), count});
}

void victim::receive(std::size_t count)
{
    const auto pattern = carry_pattern(count, count);
    auto received      = ss::receive_hand_over(segment);
    if (!received) throw std::runtime_error("nothing was handed over");
    if (received->bytes != pattern) throw std::runtime_error("other bytes were handed over");
    socket = std::move(received->socket);
}

void victim::meet_rival()
{
    rival  = ss::segment::open("home", options);
    rivals = ss::shared_socket::redeem(rival, socket.duplicate(rival.self()));
}

void victim::rival_delivers()
{
    meet_rival();
    rivals.event_select(other_event, ss::network_event::close);
    auto& impl = *rivals.impl();
    if (!impl.where().member()->begin_delivery(impl.slot(), rivals.registration()->epoch)) throw std::runtime_error("no delivery");
}

void victim::leave_a_dead_process()
{
    hold();
    const pid_t child = ::fork();
    if (child == 0) {
        ss::error_code ec;
        socket.event_select(event, ss::network_event::read, {}, ec);
        ::raise(SIGKILL);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) throw std::runtime_error("no child");
}

void victim::fork_and_use()
{
    const pid_t child = ::fork();
    if (child < 0) throw ss::system_error(errno, boost::system::system_category(), "fork");
    if (child == 0) {
        ::raise(SIGUSR1); // the traced part of a forked child ends here
        allocations();
        int answer = 0;
        ss::error_code ec;
        if (socket.is_open()) { // a handle of its own, that works, besides its parent's and the survivor's
            if (!segment.self()) answer |= 1;
            if (socket.handles().size() != 3) answer |= 2;
        } else { // or none, and the library says so
            socket.cancel_registration(ec);
            if (!ec) answer |= 4;
        }
        socket  = {};
        segment = {};
        ::_exit(answer);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; // by the test
    if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        throw std::runtime_error("the forked child ended with status " + std::to_string(status));
}

std::optional<std::size_t> victim::records() const
{
    ss::detail::membership* const member = segment ? segment.attachment()->member() : nullptr;
    if (member == nullptr) return std::nullopt;
    std::size_t count = 0;
    for (std::uint32_t index = 0; index < member->bytes().handles_backed(); ++index) {
        const ss::detail::handle_life life = load(*member->bytes().handle(index));
        count += life.state != ss::detail::handle_state::free && life.process == member->self().index;
    }
    return count;
}

} // namespace test
