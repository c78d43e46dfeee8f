// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The public operations that make system calls. A process can be killed in each of them, or have it fail.

#include "base/unique_fd.hpp"
#include "support/scratch_segment.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <unistd.h>

namespace test {

sharedsock::segment_options options_in(const std::string& directory);

/// The process that does one operation, with its objects.
struct victim {
    victim(const std::string& directory, std::string text) : options(options_in(directory)), ticket(std::move(text)) {}

    void attach() { segment = sharedsock::segment::open("home", options); }
    void hold() { attach(), redeem(sharedsock::ticket::from_text(ticket)); }
    void redeem(const sharedsock::ticket& one) { socket = sharedsock::shared_socket::redeem(segment, one); }
    void own();
    void listen();
    void offer() { hold(), made = socket.duplicate(segment.self()); }
    void hand_over(sharedsock::process_id target, std::size_t count);
    void give(sharedsock::process_id target, std::size_t count); ///< `given` waits for the target
    void receive(std::size_t count);                             ///< throws if there is nothing to receive
    /// A second attachment of this process, with a handle of its own.
    void meet_rival();
    /// The rival registers a socket, and is in the middle of a delivery of it.
    void rival_delivers();
    void leave_a_dead_process(); ///< it held the socket, and is unswept
    void fork_and_use();         ///< throws if the child is not as it should be

    sharedsock::process_id survivor() const { return *segment.find_process(::getppid()); }
    bool owns() const { return socket.registration() && socket.registration()->owner == segment.self(); }
    /// Records of this process in the segment; nothing while it is not attached.
    std::optional<std::size_t> records() const;

    const sharedsock::segment_options options;
    const std::string ticket;
    sharedsock::segment segment, rival;
    sharedsock::shared_socket socket, listener, more, rivals;
    sharedsock::event_object event, other_event;
    sharedsock::ticket made;
    sharedsock::pending_hand_over given;
    sharedsock::turn_acceptor turns;
    sharedsock::detail::unique_fd mine, peer, epoll; ///< its other descriptors
};

struct public_operation {
    std::function<void(victim&)> prepare = [](victim&) {};             ///< nothing happens to it here
    std::function<void(victim&)> act;                                  ///< throws if it fails; then it can be done again
    std::function<bool(victim&)> holds = [](victim&) { return true; }; ///< must be true once it has succeeded
    bool whole                         = true;  ///< one call: if that fails, there are as many records as before
    bool in_child                      = false; ///< the process that `act` forks is killed or has a failure
};

using operation_map = std::map<std::string, public_operation>;
const operation_map& public_operations();

void add_segment_operations(operation_map& all);
void add_socket_operations(operation_map& all);
void add_ticket_operations(operation_map& all);
void add_event_operations(operation_map& all);
void add_process_operations(operation_map& all);

} // namespace test
