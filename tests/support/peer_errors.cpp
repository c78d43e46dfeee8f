// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/peer_errors.hpp"

#include <cerrno>
#include <map>
#include <stdexcept>

namespace ss = sharedsock;

namespace test {
namespace {

std::string library_name(ss::errc code)
{
    using ss::errc;
    static const std::map<errc, const char*> names{
        {errc::segment_not_found, "segment_not_found"},
        {errc::segment_damaged, "segment_damaged"},
        {errc::not_attached, "not_attached"},
        {errc::identity_lost, "identity_lost"},
        {errc::lock_timeout, "lock_timeout"},
        {errc::process_table_full, "process_table_full"},
        {errc::socket_table_full, "socket_table_full"},
        {errc::handle_table_full, "handle_table_full"},
        {errc::name_table_full, "name_table_full"},
        {errc::closed_handle, "closed_handle"},
        {errc::not_a_shared_socket, "not_a_shared_socket"},
        {errc::already_shared, "already_shared"},
        {errc::blocking_while_registered, "blocking_while_registered"},
        {errc::would_linger, "would_linger"},
        {errc::ticket_malformed, "ticket_malformed"},
        {errc::ticket_foreign_segment, "ticket_foreign_segment"},
        {errc::ticket_wrong_process, "ticket_wrong_process"},
        {errc::ticket_used, "ticket_used"},
        {errc::ticket_descriptor_lost, "ticket_descriptor_lost"},
        {errc::target_gone, "target_gone"},
        {errc::mailbox_full, "mailbox_full"},
        {errc::wrong_descriptor, "wrong_descriptor"},
        {errc::name_not_published, "name_not_published"},
        {errc::name_taken, "name_taken"},
        {errc::no_serving_holder, "no_serving_holder"},
        {errc::fence_pending, "fence_pending"},
        {errc::registration_cancelled, "registration_cancelled"},
        {errc::bad_event_mask, "bad_event_mask"},
        {errc::bad_event_object, "bad_event_object"},
        {errc::not_the_owner, "not_the_owner"},
        {errc::too_many_wait_objects, "too_many_wait_objects"},
        {errc::carry_too_large, "carry_too_large"},
        {errc::bad_hand_over, "bad_hand_over"},
        {errc::mailbox_denied, "mailbox_denied"},
        {errc::bad_manager_variable, "bad_manager_variable"},
        {errc::worker_hung, "worker_hung"},
        {errc::workers_killed, "workers_killed"},
        {errc::access_denied, "access_denied"},
        {errc::ownership_denied, "ownership_denied"},
        {errc::paths_lost, "paths_lost"},
        {errc::hand_over_declined, "hand_over_declined"},
        {errc::hand_over_not_taken, "hand_over_not_taken"},
    };
    const auto found = names.find(code);
    return found != names.end() ? found->second : std::to_string(static_cast<int>(code));
}

std::string name_of(const ss::error_code& ec)
{
    if (ec.category() != ss::category()) return condition_name(ec);
    return condition_name(ec) + ", " + library_name(static_cast<ss::errc>(ec.value()));
}

std::string& message_of_this_thread()
{
    static thread_local std::string text;
    return text;
}

} // namespace

std::string condition_name(const ss::error_code& ec)
{
    static const std::map<int, const char*> names{
        {EINTR, "interrupted"},
        {EACCES, "permission_denied"},
        {EPERM, "operation_not_permitted"},
        {EINVAL, "invalid_argument"},
        {EMFILE, "too_many_files_open"},
        {EAGAIN, "operation_would_block"},
        {EINPROGRESS, "operation_in_progress"},
        {EALREADY, "connection_already_in_progress"},
        {ENOTSOCK, "not_a_socket"},
        {EBADF, "bad_file_descriptor"},
        {EMSGSIZE, "message_size"},
        {ENOPROTOOPT, "no_protocol_option"},
        {EOPNOTSUPP, "operation_not_supported"},
        {EAFNOSUPPORT, "address_family_not_supported"},
        {EADDRINUSE, "address_in_use"},
        {EADDRNOTAVAIL, "address_not_available"},
        {ENETDOWN, "network_down"},
        {ENETUNREACH, "network_unreachable"},
        {ENETRESET, "network_reset"},
        {EHOSTUNREACH, "host_unreachable"},
        {ECONNABORTED, "connection_aborted"},
        {ECONNRESET, "connection_reset"},
        {ECONNREFUSED, "connection_refused"},
        {ETIMEDOUT, "timed_out"},
        {EISCONN, "already_connected"},
        {ENOTCONN, "not_connected"},
        {EPIPE, "broken_pipe"},
        {ENOBUFS, "no_buffer_space"},
        {ENOMEM, "not_enough_memory"},
        {ECANCELED, "operation_canceled"},
        {ENXIO, "no_such_device_or_address"},
        {ESRCH, "no_such_process"},
        {EOWNERDEAD, "owner_dead"},
        {ENOTRECOVERABLE, "state_not_recoverable"},
        {ENOENT, "no_such_file_or_directory"},
        {EEXIST, "file_exists"},
        {EBUSY, "device_or_resource_busy"},
        {EPROTO, "protocol_error"},
        {EBADMSG, "bad_message"},
        {EDEADLK, "resource_deadlock_would_occur"},
    };
    const auto found = names.find(ec.default_error_condition().value());
    return found != names.end() ? found->second : "condition " + std::to_string(ec.default_error_condition().value());
}

void succeed(const ss::error_code& ec)
{
    if (ec) message_of_this_thread() = ec.message();
    if (ec) throw std::runtime_error(name_of(ec));
}

const std::string& last_message() { return message_of_this_thread(); }

} // namespace test
