// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "audit/snapshot.hpp"
#include "command/kernel_sockets.hpp"
#include "layout/worker_word.hpp"
#include "tables/handle_table.hpp"

#include <sharedsock/network_event.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/registration.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sharedsock::command {

/// The content of a snapshot, in terms of the public interface, with the kernel's facts added.
struct process_description {
    process_info info;
    detail::worker_word part;      ///< in a crew of workers
    bool own_namespace    = false; ///< its pid means something here
    std::uint32_t handles = 0;     ///< open ones; tickets are not counted
};

/// One handle of a socket.
struct holder_description {
    detail::record_id handle;
    process_id process;
    int descriptor              = -1;
    std::uint64_t standby_order = 0; ///< place in the standby queue; 0: does not stand by
    network_event standby_mask  = network_event::none;
    bool accepts_in_turn        = false; ///< in the accept queue, in the kernel's order
};

/// A ticket that was not redeemed yet, or a hand-over that the target has not taken.
struct ticket_description {
    detail::record_id handle;
    process_id source;              ///< the process that has the index of its maker now
    process_id target;              ///< none if it is for a process that has not attached
    std::int32_t target_pid    = 0; ///< then: its pid
    detail::handle_state state = detail::handle_state::offered;
};

struct socket_description {
    detail::record_id id;
    int family               = 0;
    int type                 = 0;
    int protocol             = 0;
    std::uint64_t cookie     = 0;
    std::uint64_t created_ns = 0;
    bool blocking            = false;
    bool listening           = false;
    error_code terminal_error;           ///< the error that ended the connection
    std::optional<kernel_socket> kernel; ///< if a live holder's descriptor leads to it
    std::vector<std::string> names;      ///< published
    std::vector<holder_description> holders;
    std::vector<holder_description> line; ///< those of them that stand by, in the order of the standby queue
    std::vector<process_id> accepting;    ///< those of them that are in the accept queue, in no order
    std::vector<ticket_description> tickets;
    std::optional<registration_info> registration;
    std::uint32_t epoch = 0;
    process_id delivering; ///< in the middle of a delivery
    network_event recorded = network_event::none;
};

/// A published name of a live socket.
struct name_description {
    std::string name;
    detail::record_id socket;
};

struct description {
    std::vector<process_description> processes; ///< by index; dead ones that were not swept included
    std::vector<socket_description> sockets;    ///< by index
    std::vector<name_description> names;

    const process_description* find(process_id who) const noexcept;
};

/// Looks the addresses up in `kernel`. One pass over each table, also if the bytes are damaged.
description describe(const snapshot& of, kernel_sockets& kernel);

std::string to_string(detail::record_id id);           ///< "index.generation"
std::string kind_of(const socket_description& socket); ///< "tcp", "udp", "unix stream", …
std::string to_string(registration_kind kind);
std::string to_string(detail::handle_state state);     ///< "held", "offered", "giving", …
std::string to_string(detail::worker_word::role part); ///< "parent", "ready", …; empty for none

} // namespace sharedsock::command
