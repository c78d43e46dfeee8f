// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/failure_note.hpp"
#include "base/syscall.hpp"

#include <sharedsock/error.hpp>

#include <boost/system/errc.hpp>
#include <boost/system/generic_category.hpp>
#include <boost/throw_exception.hpp>

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace sharedsock {
namespace {

namespace condition = boost::system::errc;

struct error_row {
    errc value;
    condition::errc_t equals; // the condition that the value compares equal to
    const char* message;      // says what happened, and after the semicolon what to do next
};

constexpr error_row rows[] = {
    {errc::segment_not_found, condition::no_such_file_or_directory,
     "no segment has this name; create it first, use open_or_create, or name the user that has created it in "
     "segment_options::owner"},
    {errc::segment_exists, condition::file_exists, "a segment of this name exists already; open it, or remove it first"},
    {errc::bad_segment_name, condition::invalid_argument,
     "bad segment name; use 1 to 64 characters out of A-Z a-z 0-9 . _ - that start with a letter or digit"},
    {errc::bad_capacity, condition::invalid_argument,
     "a capacity is zero or above its maximum; see segment_options for the limits"},
    {errc::not_a_segment, condition::protocol_error,
     "this name belongs to something that is not a sharedsock segment; remove it by hand, or use another name"},
    {errc::other_byte_order, condition::protocol_error,
     "the segment was made on a machine of another byte order; remove it and create it anew"},
    {errc::other_layout, condition::protocol_error,
     "the segment has another layout than this build; run the same version of sharedsock in all processes, or remove it"},
    {errc::truncated_segment, condition::protocol_error,
     "the segment's file is shorter than its header promises; remove it and create it anew"},
    {errc::foreign_segment, condition::permission_denied,
     "the segment's files belong to another user, or are open to other processes than segment_options::owner and group say; "
     "set these as its creator did, check owner, group and mode of the files, or use another directory"},
    {errc::stale_segment, condition::state_not_recoverable, "the segment is left over from before the last boot; create it anew"},
    {errc::segment_in_use, condition::device_or_resource_busy,
     "a live process is attached to the segment; end it first, or remove with force"},
    {errc::segment_damaged, condition::state_not_recoverable,
     "the segment's bytes contradict each other; run 'sharedsock check', then remove the segment and restart its processes"},
    {errc::not_attached, condition::no_such_device_or_address,
     "this process is not attached to the segment; open the segment in this process"},
    {errc::identity_lost, condition::identifier_removed,
     "code of this process closed the segment's descriptors or re-opened its lock file, and its place there is gone; open the "
     "segment anew, and do not close descriptors that are not yours"},
    {errc::lock_timeout, condition::timed_out, "the holder of a lock is stopped or very slow; try again, or continue or kill it"},
    {errc::would_deadlock, condition::resource_deadlock_would_occur,
     "this thread holds the lock already; do not call the library from a signal handler"},
    {errc::process_table_full, condition::no_buffer_space,
     "no room for another process; end one, or create the segment with more processes"},
    {errc::socket_table_full, condition::no_buffer_space,
     "no room for another socket; close one, or create the segment with more sockets"},
    {errc::handle_table_full, condition::no_buffer_space,
     "no room for another handle or ticket; close or revoke one, or create the segment with more handles"},
    {errc::name_table_full, condition::no_buffer_space,
     "no room for another published name; unpublish one, or create the segment with more names (segment_options::names)"},
    {errc::closed_handle, condition::bad_file_descriptor, "the handle is closed, or its process was taken for dead; get a new one"},
    {errc::not_a_shared_socket, condition::not_a_socket, "the descriptor does not refer to a socket; adopt a socket"},
    {errc::already_shared, condition::device_or_resource_busy,
     "the socket is in this segment already; duplicate the handle that exists"},
    {errc::blocking_while_registered, condition::invalid_argument,
     "a registration keeps the socket non-blocking; cancel it before making the socket blocking"},
    {errc::would_linger, condition::operation_would_block,
     "closing the last handle now would lose or linger for unsent data; try again later, or switch lingering off"},
    {errc::ticket_malformed, condition::invalid_argument,
     "these are not the bytes or the text of a ticket; pass on exactly what to_bytes or to_string gave"},
    {errc::ticket_foreign_segment, condition::invalid_argument,
     "the ticket belongs to another segment; redeem it in the segment it was made in"},
    {errc::ticket_wrong_process, condition::invalid_argument,
     "the ticket was made for another process; let that one redeem it, or duplicate again for this one"},
    {errc::ticket_used, condition::invalid_argument, "the ticket was redeemed, revoked or has died; duplicate again"},
    {errc::ticket_descriptor_lost, condition::invalid_argument,
     "no live process can supply the ticket's descriptor any more; duplicate again from a process that has the socket"},
    {errc::target_gone, condition::no_such_process, "the target process does not exist or has died; choose another"},
    {errc::mailbox_full, condition::no_buffer_space,
     "the target does not empty its mailbox; let it poll or redeem, then try again"},
    {errc::wrong_descriptor, condition::bad_message,
     "a message carried a descriptor of another socket, which was closed; ask for the socket again"},
    {errc::name_not_published, condition::no_such_file_or_directory, "no socket is published under this name; publish it first"},
    {errc::name_taken, condition::file_exists,
     "another live socket is published under this name; unpublish it, or use another name"},
    {errc::no_serving_holder, condition::timed_out,
     "no holder of the socket answered a request for its descriptor; let one of them serve the segment"},
    {errc::fence_pending, condition::operation_in_progress,
     "registered, but the old owner is stopped in the middle of a delivery; call fence() to wait for its end"},
    {errc::registration_cancelled, condition::operation_canceled,
     "another registration, a cancellation or a close ended this registration; ask registration() who has it now"},
    {errc::bad_event_mask, condition::invalid_argument,
     "the mask has a bit outside the ten network events; use the values of network_event"},
    {errc::bad_event_object, condition::invalid_argument,
     "the event object is closed, or another process made it; make one in this process"},
    {errc::not_the_owner, condition::operation_not_permitted,
     "this handle does not own the socket's registration; register through it first"},
    {errc::too_many_wait_objects, condition::invalid_argument,
     "more event objects than poll(2) takes; wait for fewer, or raise the limit of open files"},
    {errc::carry_too_large, condition::message_size,
     "more bytes than a hand-over takes along; send them over a connection of their own"},
    {errc::bad_hand_over, condition::bad_message,
     "the message of a hand-over was damaged or forged, and its socket was closed; wait for the next one"},
    {errc::not_a_worker, condition::no_child_process, "no supervisor has started this process; start it from one, or do without"},
    {errc::worker_not_ready, condition::timed_out,
     "a worker did not say in time that it was ready, and was killed; let it call ready, or raise options::start_limit"},
    {errc::workers_keep_dying, condition::no_child_process,
     "too many workers died in too short a time, and no more are started; see the reasons in supervisor::status, then call "
     "start, resize or roll"},
    {errc::proc_not_mounted, condition::no_such_device,
     "proc(5) is not mounted at /proc, by which processes of a segment reach each other; mount it there"},
    {errc::mailbox_denied, condition::permission_denied,
     "accept4(2) and accept(2) are denied to this process, so no ticket, hand-over or request can reach its mailbox; permit "
     "one of them where its system calls are filtered"},
    {errc::bad_manager_variable, condition::invalid_argument,
     "one of LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, NOTIFY_SOCKET, WATCHDOG_PID, WATCHDOG_USEC and FDSTORE is malformed, or "
     "counts descriptors that are not open; start this process from its service manager, or unset them"},
    {errc::file_size_limited, condition::file_too_large,
     "the limit RLIMIT_FSIZE of this process is below the size of the shared memory that the call needs; raise it (ulimit -f, "
     "LimitFSIZE= in a systemd unit), or ask for a segment of less capacity or hand over fewer bytes"},
    {errc::address_space_full, condition::not_enough_memory,
     "the segment does not fit into the address space of this process; raise RLIMIT_AS (ulimit -v, LimitAS= in a systemd "
     "unit), or ask for a segment of less capacity"},
    {errc::directory_not_found, condition::no_such_file_or_directory,
     "the directory for segments does not exist; mount a tmpfs at /dev/shm, or name another in segment_options::directory"},
    {errc::directory_read_only, condition::read_only_file_system,
     "the directory for segments is mounted read-only; mount a tmpfs at /dev/shm that can be written, or name another "
     "directory in segment_options::directory"},
    {errc::directory_full, condition::no_space_on_device,
     "the file system of the directory for segments is full; make it larger (mount -o remount,size=, docker run --shm-size), "
     "remove segments that are not used, or ask for a segment of less capacity"},
    {errc::segment_too_small, condition::no_buffer_space,
     "the segment exists and holds less than the options ask for; see segment::capacity, end its processes and remove it, or "
     "do without segment_options::full_capacity"},
    {errc::worker_hung, condition::timed_out,
     "a worker was stopped or gave no sign of life within options::watchdog, and was killed; let it call beat, or raise the "
     "limit"},
    {errc::workers_killed, condition::interrupted,
     "workers died by a signal before they had drained, and cut their connections; see worker_status::last_exit, and raise "
     "options::drain if their time was too short"},
    {errc::access_denied, condition::permission_denied,
     "the user and the groups of this process may not use the segment's files or the directory for segments; attach before the "
     "process changes its user, let the creator set segment_options::group to a group of this process (or owner to its user) "
     "and this process name the same, or choose another segment_options::directory"},
    {errc::ownership_denied, condition::operation_not_permitted,
     "this process may not give a segment to the user of segment_options::owner, or to the group of segment_options::group; "
     "create it with CAP_CHOWN (as root), or name a group that this process is in"},
    {errc::paths_lost, condition::host_unreachable,
     "files of the segment were deleted while it was in use (by systemd's RemoveIPC, a cleaner of temporary files, rm), and no "
     "other way leads to the process or the file that the call needs; restart the processes of the segment, and keep it in a "
     "directory of its own: segment_options::directory, RuntimeDirectory= in a systemd unit"},
    {errc::bad_service_name, condition::invalid_argument,
     "bad name of a service; use 1 to 64 characters out of A-Z a-z 0-9 . _ - that start with a letter or digit"},
    {errc::foreign_service, condition::permission_denied,
     "the service's directory, or the process that serves it, belongs to another user; start the next generation as that user "
     "or as root, and name the user in restart::options::owner"},
    {errc::upgrade_under_way, condition::device_or_resource_busy,
     "another process is upgrading this service; try again when that upgrade is over, or set "
     "restart::options::wait_for_upgrade"},
    {errc::upgrade_refused, condition::operation_not_permitted,
     "the generation that serves lets no successor begin now; see the reason in the text, and try again"},
    {errc::other_restart_protocol, condition::protocol_not_supported,
     "the two generations speak no common version of the restart protocol; upgrade through a version of sharedsock that speaks "
     "both, or stop the service and start it anew"},
    {errc::generation_silent, condition::timed_out,
     "the other generation of the service does not answer; let its loop call generation::poll, raise the limit in "
     "restart::options, or continue or kill that process"},
    {errc::successor_lost, condition::connection_aborted,
     "the successor died or gave up before it served; this generation serves on, see the successor's log and start another"},
    {errc::upgrade_dismissed, condition::operation_canceled,
     "the predecessor has taken the service back; end this process, see the reason in the text, and start another"},
    {errc::no_successor, condition::not_connected,
     "no successor is ready to take connections; serve on, and give after event::successor_ready"},
    {errc::gift_declined, condition::operation_not_supported,
     "the successor has declined the connection; serve it here to its end, and see the reason in the text"},
    {errc::no_such_gift, condition::invalid_argument,
     "no connection of this number waits to be taken; use the number of event::offered, once"},
    {errc::generation_ended, condition::bad_file_descriptor,
     "this generation does not serve any more, or another process made it; join the service in this process"},
    {errc::bad_restart_message, condition::bad_message,
     "the other generation sent what is no message of the restart protocol; check which program it is"},
    {errc::hand_over_declined, condition::operation_not_supported,
     "the target does not take this hand-over, and the socket is still this process's; keep it, or choose a target that knows "
     "its tag"},
    {errc::hand_over_not_taken, condition::timed_out,
     "the target did not take the hand-over in time, and the socket is still this process's; let the target call "
     "receive_hand_over, raise hand_over_options::limit, or choose another"},
};

constexpr bool row_is_where_value_says()
{
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        if (static_cast<std::size_t>(rows[i].value) != i + 1) {
            return false;
        }
    }
    return true;
}

// Compilers spell a value that no enumerator has as a cast: "(sharedsock::errc)43".
template <errc Value>
constexpr bool has_enumerator()
{
    return std::string_view(__PRETTY_FUNCTION__).find("= (") == std::string_view::npos;
}

static_assert(row_is_where_value_says(), "the rows stand in the order of the enumerators, and none is missing");
static_assert(has_enumerator<errc{std::size(rows)}>() && !has_enumerator<errc{std::size(rows) + 1}>(),
              "the last row is the last enumerator");

const error_row* find_row(int value) noexcept
{
    return value >= 1 && value <= static_cast<int>(std::size(rows)) ? &rows[value - 1] : nullptr;
}

class sharedsock_category final : public boost::system::error_category {
public:
    constexpr sharedsock_category() noexcept : error_category(0x7364'5b1e'92c4'a603) {} // random: equal in every copy

    const char* name() const noexcept override { return "sharedsock"; }

    std::string message(int value) const override
    {
        const error_row* row = find_row(value);
        return row ? row->message : "unknown error " + std::to_string(value) + "; update this build of sharedsock";
    }

    // Comparison with boost::system::errc and, through Boost's bridge, with std::errc rests on this.
    boost::system::error_condition default_error_condition(int value) const noexcept override
    {
        const error_row* row = find_row(value);
        return row ? make_error_condition(row->equals) : boost::system::error_condition(value, *this);
    }
};

} // namespace

const boost::system::error_category& category() noexcept
{
    static const sharedsock_category one;
    return one;
}

const char* denied_call(const error_code& ec) noexcept
{
    const auto* const of = dynamic_cast<const detail::call_category*>(&ec.category());
    return of != nullptr ? of->call() : nullptr;
}

std::string describe_failure(const error_code& ec) { return detail::noted_failure(ec) + ec.message(); }

void detail::throw_if(const error_code& ec, const char* call)
{
    if (!ec) return;
    std::string where = detail::noted_failure(ec); // ends in ": ", which the exception adds itself
    if (!where.empty()) where = ": " + where.substr(0, where.size() - 2);
    boost::throw_exception(system_error(ec, call + where));
}

} // namespace sharedsock
