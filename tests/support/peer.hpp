// A, B and C of the conformance matrix: processes that share sockets and obey commands, one step at a time.
#pragma once

#include "support/child_process.hpp"
#include "support/plain_socket.hpp"
#include "support/share.hpp"

#include <string>
#include <string_view>

namespace test {

/// A child process that is attached to a segment and keeps handles (h, l, s ...) and event objects (e ...) under names.
///
/// Each command is a line of words and has one line for an answer. A call that fails answers "error: " and the name of the
/// std::errc condition; for a library code that name, a comma and the name in `sharedsock::errc`. A call without a result answers
/// "ok", a question "yes" or "no".
///
///     open H tcp|tcp6|udp|unix|seqpacket|unix_datagram    a new socket
///     dial H PORT                                a plain connection to 127.0.0.1:PORT, adopted
///     dial_local H unix|seqpacket PATH            a plain connection to a path, adopted
///     adopt H FD                                 a descriptor of the child
///     listener H                                 listens on a free port of 127.0.0.1; the port
///     bind H ADDRESS      listen H [BACKLOG]     ADDRESS: a port of 127.0.0.1, HOST:PORT, or a path for AF_UNIX
///     connect H ADDRESS   accept L H
///     duplicate H PID|self [pid]                 the ticket as text. "pid": by duplicate_for_pid
///     redeem H TICKET     revoke TICKET          revoke: yes or no
///     hand_over H PID|self TAG COUNT [MS]        with so many bytes of carry_pattern(TAG); waits until it is taken
///     hand_over_unacknowledged H PID|self TAG COUNT
///     begin_hand_over H PID|self TAG COUNT       a pending_hand_over, one at a time; then
///     hand_over_state   take_back H              pending, taken, returned (or the error); ok or taken
///     decline_hand_over                          the next one: "tag=… count=…", "none", or "gone …"
///     refuse_hand_overs   leave                  leave: detaches; its handles end with it
///     receive_hand_over H                        "tag=… count=… sum=…" (carry_line) or "none"
///     wait_hand_over H                           receive_hand_over, when its descriptor shows one
///     publish H NAME      open_published H NAME
///     close H   drop H   release H               drop: by the destructor; release: the descriptor's number
///     forget H                                   the name is free; its handle stays as it is
///     shutdown H receive|send|both
///     send H TEXT [FLAG...]                      the count of bytes taken
///     send_many H COUNT [BYTE]                   sends so many bytes; the count of those taken
///     send_until_full H                          sends until it would block; the count
///     receive H SIZE [FLAG...]                   the bytes, in quotes; "end" for none. FLAG: peek oob all dontwait
///     receive_count H COUNT                      receives until it has so many bytes or the end; the count
///     receive_all H                              receives until it would block or ends; the count
///     option H NAME [VALUE]                      keepalive nodelay reuseaddr oobinline rcvbuf sndbuf acceptconn error
///                                                user_timeout syn_count linger (the time, "off" for none)
///     blocking H [on|off]
///     local H   peer H                           addresses
///     id H   handle_id H   cookie H   fd H       numbers
///     close_on_exec H [on|off]   is_open H
///     handles H                                  how many, then "process" or "process:ticket" of each
///
///     event E [moved]   events E COUNT           an event object; one that was moved from; E0, E1 ...
///     destroy E   set E   reset E
///     sig E                                      whether it is signalled
///     wait E MS                                  whether it is signalled within so many milliseconds
///     poll E MS                                  whether its descriptor becomes readable, without the library; also
///                                                epoll, epoll_edge, select, asio
///     edge_loop L E                              makes one epoll that watches the descriptor of E edge-triggered from now on
///     edge L MS                                  whether L has or gets an edge within so many milliseconds
///     wait_any MS E...   wait_all MS E...        the index or "none"; yes or no. "e*300" stands for e0 to e299
///     alternate E F COUNT                        sets and resets E, then F, and so on: never both are set
///     inherited_by_exec E                        whether a program that the child executes has the descriptor of E
///     event_select H E|- MASK [tell]             MASK: read|write|... or a number
///     request_change H MASK
///     cancel H   stand_by H E MASK   pass_on H
///     enum H [E]                                 the events, "none" for none; with errors as "connect=connection_refused".
///                                                "lost" is added when the loss of the registration is told
///     query H                                    "nobody", or "owner=… handle=… kind=… mask=… epoch=…"
///
///     message                                    the latest error of the main thread, as people read it
///     pid   self   attach NAME                   self: the process_id as "index.generation"
///     poll_segment   sweep   processes           sweep, processes: how many
///     execute                                    another program, which sleeps; no answer
///     untraceable                                others, root too, cannot take descriptors out of it, if they are so too
///     limit_descriptors COUNT                    RLIMIT_NOFILE: so many beyond the open ones; "off" for as before
///     in_fork COMMAND...                         runs a command in a forked child; its answer
///     in_clone COMMAND...                        runs a command in a raw clone(2), which the library does not see
///     start T COMMAND...                         runs a command in a thread; ok at once
///     again COMMAND...                           runs a command for ever: for a thread of a process that will be killed
///     running T   join T                         join: the answer of the command that T ran
///     ...                                        and the commands of network_verbs.hpp
class peer {
public:
    explicit peer(const std::string& segment_name) : process_("peer", {segment_name}) { process_.wait_for("ready"); }

    /// Gives one command; the answer.
    std::string ask(std::string_view command) { return process_.ask(command); }

    child_process& process() noexcept { return process_; }
    std::string pid() const { return std::to_string(process_.pid()); }

private:
    child_process process_;
};

} // namespace test
