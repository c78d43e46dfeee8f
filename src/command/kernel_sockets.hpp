// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/socket_address.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <sys/types.h>

namespace sharedsock::command {

/// The kernel's public facts about a socket.
struct kernel_socket {
    std::uint64_t inode = 0; ///< as `ss -e` shows it
    socket_address local;
    std::optional<socket_address> peer;
    bool listening = false;
};

/// Finds sockets by the descriptors of other processes: /proc/<pid>/fd names the inode, /proc/<pid>/net has its row. So no
/// descriptor of another process is ever taken: this process could become the last to close the socket.
///
/// It does not find a TCP socket that is bound but neither listens nor is connected (it is in none of those tables), nor families
/// other than IPv4, IPv6 and AF_UNIX.
class kernel_sockets {
public:
    /// The socket of this family and type behind a descriptor of process `pid` of this pid namespace.
    std::optional<kernel_socket> find(pid_t pid, int descriptor, int family, int type);

private:
    using table = std::unordered_map<std::uint64_t, kernel_socket>; // by inode

    const table& read(pid_t pid, const std::string& file);

    std::map<std::pair<std::string, std::string>, table> tables_; // by network namespace and file; each is read once
};

/// Whether `pid_namespace`, an inode as in a process record, is the one of this process.
bool is_own_pid_namespace(std::uint64_t pid_namespace);

} // namespace sharedsock::command
