// The commands of a peer that concern the network and the machine around it.
#pragma once

#include "support/role.hpp"

namespace test {

/// Adds these commands to those of a role:
///
///     network new|PID           moves into a network of its own, or into that of a process: yes, or no where that is not
///                               permitted. The new one has a loopback interface that is up, and nothing else
///     add_address LABEL HOST    gives the loopback interface an address; IPv4 under a label as "lo:1", IPv6 under "lo"
///     remove_address LABEL      takes an IPv4 address back
///     refuse_route HOST         packets to HOST have no way from now on: host unreachable
///     without_netlink           rtnetlink is not permitted from now on
///     deny CALL ERROR           a system call fails with EPERM or ENOSYS from now on: accept, accept4, pidfd_open, pidfd_getfd
///     cpu                       how much time of a processor the process has used, in microseconds
///     signals MICROSECONDS      a signal hits the process so often, 0: no more; its handler does nothing and restarts no call
void add_network_verbs(role_context::handlers& verbs);

} // namespace test
