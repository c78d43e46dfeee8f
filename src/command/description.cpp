// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/description.hpp"

#include "layout/event_record.hpp"
#include "tables/socket_table.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include <netinet/in.h>

namespace sharedsock::command {
namespace {

using namespace detail;

std::string text_of(const char* bytes, std::size_t room) { return std::string(bytes, ::strnlen(bytes, room)); }

// The process at `index` now.
process_id incarnation(const table_view& bytes, std::uint32_t index)
{
    const process_record* const record = bytes.process(index);
    return record == nullptr ? process_id{} : process_id{index, load(*record).generation};
}

process_description describe_process(const snapshot& of, std::uint32_t index)
{
    const process_record& record = *of.bytes().process(index);
    process_description result;
    result.info.id          = incarnation(of.bytes(), index);
    result.info.alive       = of.alive(index);
    result.info.pid         = record.pid;
    result.info.start_time  = record.start_time;
    result.info.attached_ns = record.attached_ns;
    result.info.load        = record.load.load();
    result.info.name        = text_of(record.name, sizeof record.name);
    result.part             = worker_word::decode(record.worker.load());
    result.own_namespace    = is_own_pid_namespace(record.pid_namespace);
    return result;
}

std::optional<registration_info> describe_registration(const table_view& bytes, const socket_slot& slot,
                                                       const registration_word& word)
{
    if (!word.owned()) {
        return std::nullopt;
    }
    registration_info result;
    result.owner         = incarnation(bytes, word.owner);
    result.epoch         = word.epoch;
    result.mask          = static_cast<network_event>(word.mask);
    result.delivering    = word.delivering != no_index;
    const auto details   = registration_details::decode(slot.details.load());
    const auto* const by = bytes.handle(details.handle);
    if (details.epoch == word.epoch && by != nullptr) {
        result.kind     = static_cast<registration_kind>(details.kind);
        result.mask     = static_cast<network_event>(word.mask | details.high_mask << 6);
        result.handle   = record_id{details.handle, load(*by).generation}.as_number();
        result.since_ns = slot.registered_ns.load();
    }
    return result;
}

socket_description describe_socket(const table_view& bytes, std::uint32_t index, const socket_slot& slot)
{
    const registration_word word = load(slot.registration);
    socket_description result;
    result.id             = {index, load(slot).generation};
    result.family         = slot.family;
    result.type           = slot.type;
    result.protocol       = slot.protocol;
    result.cookie         = slot.cookie;
    result.created_ns     = slot.created_ns;
    result.blocking       = (slot.flags.load() & flag_blocking) != 0;
    result.listening      = (slot.flags.load() & flag_listening) != 0;
    result.terminal_error = told_error(errno_in(slot.terminal_error.load()));
    result.registration   = describe_registration(bytes, slot, word);
    result.epoch          = word.epoch;
    result.delivering     = incarnation(bytes, word.delivering);
    result.recorded       = static_cast<network_event>(load_record(slot.record).at(word.epoch).events);
    return result;
}

// Adds a handle record to the holders or the tickets of its socket.
void add_handle(const table_view& bytes, std::uint32_t index, socket_description& socket)
{
    const handle_record& record = *bytes.handle(index);
    const handle_life life      = load(record);
    const record_id id{index, life.generation};
    const auto target_of = [&](const handle_record& of) { // none if it is for a pid
        const std::uint64_t target = of.target_pid == 0 ? of.target.load() : process_id::none;
        return process_id{static_cast<std::uint32_t>(target), static_cast<std::uint32_t>(target >> 32)};
    };
    const auto source_of = [&](const handle_record& of) { return incarnation(bytes, offer_source::decode(of.source).index); };
    if (life.state == handle_state::held) {
        const std::uint32_t mask  = record.standby_mask.load();
        const std::uint64_t order = record.standby_order.load();
        socket.holders.push_back({id,
                                  {life.process, record.process_generation.load()},
                                  record.descriptor,
                                  order,
                                  static_cast<network_event>(mask) & network_event::all,
                                  order == 0 && (mask & accepts_in_turn) != 0});
    } else if (life.state == handle_state::offered) {
        const process_id target{life.process, record.process_generation.load()};
        socket.tickets.push_back({id, source_of(record), target, record.target_pid, life.state});
    } else if (life.state == handle_state::handing || life.state == handle_state::giving || life.state == handle_state::returned) {
        socket.tickets.push_back({id, incarnation(bytes, life.process), target_of(record), record.target_pid, life.state});
    } else if (life.state == handle_state::kept) {
        socket.tickets.push_back({id, source_of(record), {}, record.target_pid, life.state});
    }
}

// The element at `index` of a range that is sorted by index.
template <class Range, class Projection>
auto* find_sorted(Range& range, std::uint32_t index, Projection index_of)
{
    const auto found = std::lower_bound(range.begin(), range.end(), index,
                                        [&](const auto& each, std::uint32_t wanted) { return index_of(each) < wanted; });
    return found != range.end() && index_of(*found) == index ? &*found : nullptr;
}

std::uint32_t index_of_process(const process_description& one) { return one.info.id.index; }
std::uint32_t index_of_socket(const socket_description& one) { return one.id.index; }

class describer {
public:
    describer(const snapshot& of, kernel_sockets& kernel) : of_(of), bytes_(of.bytes()), kernel_(kernel) {}

    description all()
    {
        for (std::uint32_t index = 0; index < bytes_.capacity.processes; ++index) {
            if (load(*bytes_.process(index)).used) {
                result_.processes.push_back(describe_process(of_, index));
            }
        }
        for (std::uint32_t index = 0; index < bytes_.sockets_backed(); ++index) {
            const socket_slot* const slot = bytes_.socket(index);
            if (slot != nullptr && load(*slot).state == slot_state::live) {
                result_.sockets.push_back(describe_socket(bytes_, index, *slot));
            }
        }
        add_handles();
        add_names();
        for (socket_description& socket : result_.sockets) {
            stand_in_line(socket);
            look_up(socket);
        }
        return std::move(result_);
    }

private:
    socket_description* find_socket(record_id id)
    {
        auto* const found = find_sorted(result_.sockets, id.index, index_of_socket);
        return found != nullptr && found->id == id ? found : nullptr;
    }

    // From the handle records themselves and not by the sockets' lists, which may be broken.
    void add_handles()
    {
        for (std::uint32_t index = 0; index < bytes_.handles_backed(); ++index) {
            const handle_record& record = *bytes_.handle(index);
            if (load(record).state == handle_state::free) {
                continue;
            }
            if (socket_description* const socket = find_socket({record.socket.load(), record.socket_generation.load()})) {
                add_handle(bytes_, index, *socket);
            }
        }
        for (const socket_description& socket : result_.sockets) {
            for (const holder_description& holder : socket.holders) {
                if (auto* const process = find_sorted(result_.processes, holder.process.index, index_of_process)) {
                    ++process->handles;
                }
            }
        }
    }

    void add_names()
    {
        for (std::uint32_t index = 0; index < bytes_.capacity.names; ++index) {
            const name_record& record        = bytes_.names[index];
            const record_id id               = published_socket(record);
            socket_description* const socket = id ? find_socket(id) : nullptr;
            if (socket != nullptr) { // else free, or left over from a socket that is gone
                socket->names.push_back(text_of(record.name, sizeof record.name));
                result_.names.push_back({socket->names.back(), id});
            }
        }
    }

    static void stand_in_line(socket_description& socket)
    {
        for (const holder_description& each : socket.holders) {
            if (each.accepts_in_turn) {
                socket.accepting.push_back(each.process);
            }
        }
        std::copy_if(socket.holders.begin(), socket.holders.end(), std::back_inserter(socket.line),
                     [](const holder_description& each) { return each.standby_order != 0; });
        std::stable_sort(socket.line.begin(), socket.line.end(),
                         [](const auto& a, const auto& b) { return a.standby_order < b.standby_order; });
    }

    // Through the first holder whose descriptor leads to it.
    void look_up(socket_description& socket)
    {
        for (const holder_description& holder : socket.holders) {
            const process_description* const process = result_.find(holder.process);
            if (process != nullptr && process->info.alive && process->own_namespace && holder.descriptor >= 0) {
                socket.kernel = kernel_.find(process->info.pid, holder.descriptor, socket.family, socket.type);
            }
            if (socket.kernel) {
                socket.listening = socket.listening || socket.kernel->listening;
                return;
            }
        }
    }

    const snapshot& of_;
    const table_view& bytes_;
    kernel_sockets& kernel_;
    description result_;
};

} // namespace

const process_description* description::find(process_id who) const noexcept
{
    const auto* const found = find_sorted(processes, who.index, index_of_process);
    return found != nullptr && found->info.id == who ? found : nullptr;
}

description describe(const snapshot& of, kernel_sockets& kernel) { return describer(of, kernel).all(); }

std::string to_string(detail::record_id id) { return id ? std::to_string(id.index) + '.' + std::to_string(id.generation) : "none"; }

std::string kind_of(const socket_description& socket)
{
    const bool ip    = socket.family == AF_INET || socket.family == AF_INET6;
    std::string type = socket.type == SOCK_STREAM      ? "stream"
                       : socket.type == SOCK_DGRAM     ? "datagram"
                       : socket.type == SOCK_SEQPACKET ? "seqpacket"
                       : socket.type == SOCK_RAW       ? "raw"
                                                       : "type " + std::to_string(socket.type);
    if (socket.family == AF_UNIX) {
        return "unix " + type;
    }
    if (!ip) {
        return "family " + std::to_string(socket.family) + ' ' + type;
    }
    if (socket.protocol == IPPROTO_SCTP) {
        return "sctp " + type;
    }
    return socket.type == SOCK_STREAM ? "tcp" : socket.type == SOCK_DGRAM ? "udp" : "ip " + type;
}

std::string to_string(detail::worker_word::role part)
{
    using role = detail::worker_word::role;
    switch (part) {
    case role::none:
        return {};
    case role::parent:
        return "parent";
    case role::starting:
        return "starting";
    case role::ready:
        return "ready";
    case role::draining:
        return "draining";
    case role::retiring:
        return "retiring";
    }
    return {};
}

std::string to_string(detail::handle_state state)
{
    switch (state) {
    case handle_state::free:
        return "free";
    case handle_state::claimed:
        return "claimed";
    case handle_state::held:
        return "held";
    case handle_state::offered:
        return "offered";
    case handle_state::kept:
        return "kept";
    case handle_state::handing:
        return "handing";
    case handle_state::giving:
        return "giving";
    case handle_state::returned:
        return "returned";
    }
    return "unknown";
}

std::string to_string(registration_kind kind)
{
    switch (kind) {
    case registration_kind::event_select:
        return "event_select";
    case registration_kind::async_select:
        return "async_select";
    case registration_kind::operations:
        return "operations";
    default:
        return "unknown";
    }
}

} // namespace sharedsock::command
