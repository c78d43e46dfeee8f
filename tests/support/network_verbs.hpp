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

/// Part of `add_network_verbs` (network_failure_verbs.cpp):
///
///     unreachable network|host PORT   waits for the next TCP packet to PORT on the loopback interface, and answers its sender as a
///                                     router does which has no way: by ICMP. In a network of its own; "start" it first
///     deaf FD                         the socket gets no packet from now on, and answers none
///     fail_calls FD ERROR             connect, send and receive on FD fail from now on, with network_down, no_buffer_space or
///                                     address_family_not_supported
void add_network_failure_verbs(role_context::handlers& verbs);

} // namespace test
