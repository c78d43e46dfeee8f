// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <type_traits>

/// One socket, many processes, one owner of its events.
namespace sharedsock {

using boost::system::error_code;
using boost::system::system_error;

/// The failures of the library itself. Kernel failures keep their errno in `boost::system::system_category()`; those that a filter
/// of system calls makes have a category that names the call (`denied_call`).
///
/// Every value compares equal to the `std::errc` condition in brackets (ERR-1), and its message says what to do next.
// clang-format off
enum class errc {
    // The segment.
    segment_not_found = 1,  ///< No segment has this name. [no_such_file_or_directory]
    segment_exists,         ///< A segment of this name exists already. [file_exists]
    bad_segment_name,       ///< A name is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit. [invalid_argument]
    bad_capacity,           ///< A capacity is zero or above its maximum. [invalid_argument]
    not_a_segment,          ///< The file is not a sharedsock segment. [protocol_error]
    other_byte_order,       ///< The segment was made on a machine of another byte order. [protocol_error]
    other_layout,           ///< The segment has another layout version or hash than this build. [protocol_error]
    truncated_segment,      ///< The file is shorter than its header promises. [protocol_error]
    foreign_segment,        ///< Owner, group or mode of its files differ from segment_options::owner and group. [permission_denied]
    stale_segment,          ///< The segment is left over from before the last boot. [state_not_recoverable]
    segment_in_use,         ///< A live process is attached. [device_or_resource_busy]
    segment_damaged,        ///< The bytes contradict each other. [state_not_recoverable]
    not_attached,           ///< This process is not attached to the segment. [no_such_device_or_address]
    identity_lost,          ///< This process's code closed the segment's descriptors; its place there is gone. [identifier_removed]
    lock_timeout,           ///< The lock's holder is stopped or very slow. [timed_out]
    would_deadlock,         ///< This thread holds the lock already. [resource_deadlock_would_occur]
    // Tables.
    process_table_full,     ///< No room for another process. [no_buffer_space]
    socket_table_full,      ///< No room for another socket. [no_buffer_space]
    handle_table_full,      ///< No room for another handle or ticket. [no_buffer_space]
    name_table_full,        ///< No room for another published name. [no_buffer_space]
    // Sockets.
    closed_handle,          ///< The handle is closed, or its process was swept. [bad_file_descriptor]
    not_a_shared_socket,    ///< The descriptor does not refer to a socket. [not_a_socket]
    already_shared,         ///< The descriptor's socket has a slot in this segment already. [device_or_resource_busy]
    blocking_while_registered, ///< A registration keeps the socket non-blocking (REG-13). [invalid_argument]
    would_linger,           ///< Closing the last handle now would lose or linger for unsent data (ERR-4). [operation_would_block]
    // Tickets and names.
    ticket_malformed,       ///< Not the bytes or text of a ticket. [invalid_argument]
    ticket_foreign_segment, ///< The ticket belongs to another segment. [invalid_argument]
    ticket_wrong_process,   ///< The ticket was made for another process (DUP-3). [invalid_argument]
    ticket_used,            ///< The ticket was redeemed, revoked or has died (DUP-4). [invalid_argument]
    ticket_descriptor_lost, ///< No live process can supply the ticket's descriptor any more. [invalid_argument]
    target_gone,            ///< The target process does not exist or has died. [no_such_process]
    mailbox_full,           ///< The target does not empty its mailbox. [no_buffer_space]
    wrong_descriptor,       ///< A message carried a descriptor of another socket; it was closed. [bad_message]
    name_not_published,     ///< No socket is published under this name. [no_such_file_or_directory]
    name_taken,             ///< Another live socket is published under this name. [file_exists]
    no_serving_holder,      ///< No holder of the socket answered a request for its descriptor. [timed_out]
    // Registrations.
    fence_pending,          ///< Registered, but the old owner is stopped in the middle of a delivery. [operation_in_progress]
    registration_cancelled, ///< Another registration, a cancellation or a close ended this one. [operation_canceled]
    bad_event_mask,         ///< A bit outside the ten network events. [invalid_argument]
    bad_event_object,       ///< The event object is closed, or another process made it (REG-20). [invalid_argument]
    not_the_owner,          ///< This handle does not own the socket's registration. [operation_not_permitted]
    too_many_wait_objects,  ///< More objects than poll(2) takes. [invalid_argument]
    // Hand-overs.
    carry_too_large,        ///< More bytes than a hand-over takes along (`max_carry`). [message_size]
    bad_hand_over,          ///< A message that brought a hand-over was damaged or forged; its socket was closed. [bad_message]
    // Workers.
    not_a_worker,           ///< No supervisor has started this process. [no_child_process]
    worker_not_ready,       ///< A worker did not say in time that it was ready. [timed_out]
    workers_keep_dying,     ///< Too many workers died in too short a time. [no_child_process]
    // The system.
    proc_not_mounted,       ///< proc(5) is not mounted at /proc, and the call needs it. [no_such_device]
    // The mailbox.
    mailbox_denied,         ///< This process may not accept connections: neither accept4(2) nor accept(2). [permission_denied]
    // The service manager.
    bad_manager_variable,   ///< A variable of sd_listen_fds(3) or sd_notify(3) is malformed. [invalid_argument]
    // Limits.
    file_size_limited,      ///< RLIMIT_FSIZE is below the size of the memory that the call needs. [file_too_large]
    address_space_full,     ///< The segment does not fit into the address space that RLIMIT_AS leaves. [not_enough_memory]
    directory_not_found,    ///< `segment_options::directory` does not exist. [no_such_file_or_directory]
    directory_read_only,    ///< `segment_options::directory` is in a file system that is mounted read-only. [read_only_file_system]
    directory_full,         ///< The file system of `segment_options::directory` is full. [no_space_on_device]
    segment_too_small,      ///< The existing segment holds less than `segment_options::full_capacity` asks for. [no_buffer_space]
    // Workers that are ready.
    worker_hung,            ///< A worker gave no sign of life within `options::watchdog`, and was killed. [timed_out]
    workers_killed,         ///< Workers died by a signal before they had drained, during a stop. [interrupted]
    // Users, groups and paths.
    access_denied,          ///< This process's user and groups may not use the segment's files or directory. [permission_denied]
    ownership_denied,       ///< This process may not give files to `segment_options::owner` or `group`. [operation_not_permitted]
    paths_lost,             ///< Files of the segment were deleted while it was in use. [host_unreachable]
    // Generations of a service.
    bad_service_name,       ///< The name of a service has characters that it must not have, or too many. [invalid_argument]
    foreign_service,        ///< The service's directory, or the process at the other end, is another user's. [permission_denied]
    upgrade_under_way,      ///< The service is being upgraded by another process. [device_or_resource_busy]
    upgrade_refused,        ///< The generation that serves lets no successor begin now. [operation_not_permitted]
    other_restart_protocol, ///< The two generations speak no common version of the restart protocol. [protocol_not_supported]
    generation_silent,      ///< The other generation does not answer within the limit. [timed_out]
    successor_lost,         ///< The successor died, or gave up, before it served. [connection_aborted]
    upgrade_dismissed,      ///< The predecessor has taken the service back. [operation_canceled]
    no_successor,           ///< No successor is ready, so nothing can be given. [not_connected]
    gift_declined,          ///< The successor has declined the connection. [operation_not_supported]
    no_such_gift,           ///< No connection of this number waits to be taken. [invalid_argument]
    generation_ended,       ///< This object does not serve any more, or another process made it. [bad_file_descriptor]
    bad_restart_message,    ///< The other generation sent what is no message of the protocol. [bad_message]
    // Acknowledged hand-overs.
    hand_over_declined,     ///< The target does not want the socket, which is the caller's as before. [operation_not_supported]
    hand_over_not_taken,    ///< The target did not take the socket in time, which is the caller's as before. [timed_out]
};
// clang-format on

/// The category of `errc`. Stateless; safe from any thread.
const boost::system::error_category& category() noexcept;

/// The system call that failed with EPERM or ENOSYS, as a filter (seccomp) answers one that it does not let through; null for any
/// other error. Its name is that of the kernel's table, as in a filter's profile: "newfstatat". The message names it too.
///
/// Such an error has a category of its own. `value()` is the errno, and the error compares equal to
/// `std::errc::operation_not_permitted` or `std::errc::function_not_supported` all the same. The kernel may have refused the call
/// by itself, for want of a privilege.
const char* denied_call(const error_code& ec) noexcept;

inline error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), category()}; }

/// The message of an error, with the system call, the file, and the user and group of this process where the last failing call of
/// this thread has noted them: "openat /dev/shm/sharedsock.0.web as user 33, group 33: this process may not ...". The same text is
/// in the exception that the throwing form of the call throws.
std::string describe_failure(const error_code& ec);

namespace detail {

/// The throwing form of a call: throws `system_error` if the form with `ec` has failed. `call`: the full name of the call.
void throw_if(const error_code& ec, const char* call);
/// A call begins: the note of an earlier failure does not concern it.
void forget_failure() noexcept;

/// Calls `form(ec)`, the form of a call that reports its error, and returns the result; throws as `throw_if` if that has failed.
template <class Form>
auto or_throw(const char* call, Form form)
{
    error_code ec;
    forget_failure();
    if constexpr (std::is_void_v<decltype(form(ec))>) {
        form(ec);
        throw_if(ec, call);
    } else {
        auto result = form(ec);
        throw_if(ec, call);
        return result;
    }
}

} // namespace detail

} // namespace sharedsock

template <>
struct boost::system::is_error_code_enum<sharedsock::errc> : std::true_type {};
