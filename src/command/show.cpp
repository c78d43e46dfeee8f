// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/description.hpp"
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/telling.hpp"
#include "command/text_table.hpp"
#include "command/verb.hpp"

#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace sharedsock::command {
namespace {

struct counter {
    const char* key;
    const char* words;
    detail::atomic_u64 detail::segment_header::*cell;
};
constexpr counter counters[] = {
    {"sweeps", "dead processes swept", &detail::segment_header::sweeps},
    {"owner_deaths", "locks taken over from dead processes", &detail::segment_header::owner_deaths},
    {"take_overs", "registrations taken over", &detail::segment_header::take_overs},
    {"fences_pending", "take-overs that did not wait for the old delivery to end", &detail::segment_header::fences_pending},
    {"damages", "contradictions seen", &detail::segment_header::damages},
};

std::size_t ticket_count(const description& all)
{
    std::size_t count = 0;
    for (const socket_description& socket : all.sockets) {
        count += socket.tickets.size();
    }
    return count;
}

std::size_t handle_count(const description& all)
{
    std::size_t count = ticket_count(all);
    for (const socket_description& socket : all.sockets) {
        count += socket.holders.size();
    }
    return count;
}

// --- for people -----------------------------------------------------------------------------------------------------

void print_header(const std::string& name, const snapshot& state, const description& all, std::ostream& out)
{
    const auto& header   = state.header();
    const auto& capacity = state.plan().capacity;
    const auto fact      = [&](const char* what) -> std::ostream& { return out << std::left << std::setw(10) << what; };
    const auto used = [](std::size_t count, std::uint32_t most) { return std::to_string(count) + " of " + std::to_string(most); };

    fact("segment") << name << (state.in_use() ? ", live" : ", idle") << '\n';
    fact("uuid") << to_uuid(header.uuid) << '\n';
    fact("created") << to_date(header.created_ns) << ", " << to_age(header.created_ns) << " ago, by pid " << header.creator_pid
                    << '\n';
    fact("layout") << "version " << header.version << ", hash " << to_hex(header.layout_hash) << '\n';
    fact("memory") << to_size(state.memory_bytes()) << " of " << to_size(state.plan().size_bytes) << '\n';
    fact("in use") << "processes " << used(all.processes.size(), capacity.processes) << ", sockets "
                   << used(all.sockets.size(), capacity.sockets) << ", handles " << used(handle_count(all), capacity.handles)
                   << ", names " << used(all.names.size(), capacity.names) << '\n';
    std::vector<std::string> happened;
    for (const counter& each : counters) {
        if (const auto count = (header.*each.cell).load(); count != 0) {
            happened.push_back(std::to_string(count) + ' ' + each.words);
        }
    }
    fact("happened") << (happened.empty() ? "nothing to worry about" : joined(happened, ", ")) << '\n';
    if (!state.steady()) {
        out << "\nThe segment is busy: what follows is not all of the same moment.\n";
    }
}

// "worker 3, ready"; "parent of 4".
std::string part_of(const process_description& one)
{
    const std::string number = std::to_string(one.part.value);
    if (one.part.is_worker()) return "worker " + number + ", " + to_string(one.part.what);
    return one.part.what == detail::worker_word::role::none ? "" : "parent of " + number;
}

void print_processes(const description& all, std::ostream& out)
{
    text_table table({"process", "pid", "name", "state", "part", "load", "handles", "attached"});
    for (const process_description& each : all.processes) {
        table.row({to_string(each.info.id), std::to_string(each.info.pid), or_dash(printable(each.info.name)),
                   each.info.alive ? "alive" : "dead, not swept yet", or_dash(part_of(each)), std::to_string(each.info.load),
                   std::to_string(each.handles), to_age(each.info.attached_ns)});
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

std::string mode_of(const socket_description& socket)
{
    std::string mode = socket.blocking ? "blocking" : "non-blocking";
    return socket.terminal_error ? mode + ", ended: " + socket.terminal_error.message() : mode;
}

void print_sockets(const description& all, std::ostream& out)
{
    text_table table({"socket", "kind", "local", "peer", "held by", "mode"});
    for (const socket_description& each : all.sockets) {
        std::vector<std::string> holders;
        for (const holder_description& holder : each.holders) {
            holders.push_back(to_string(holder.process));
        }
        const bool connected = each.kernel && each.kernel->peer;
        table.row({to_string(each.id), kind_of(each), local_of(each),
                   connected        ? to_string(*each.kernel->peer)
                   : each.listening ? "listening"
                                    : "-",
                   or_dash(joined(holders, " ")), mode_of(each)});
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

// The listeners that processes accept from in turn: their events have no owner.
void print_acceptors(const description& all, std::ostream& out)
{
    text_table table({"accepted from", "in turn by", "count"});
    for (const socket_description& each : all.sockets) {
        if (each.accepting.empty()) {
            continue;
        }
        std::vector<std::string> line;
        for (const process_id process : each.accepting) {
            line.push_back(to_string(process));
        }
        table.row({to_string(each.id), joined(line, " "), std::to_string(line.size())});
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

// The sockets whose events have an owner, are recorded, or are waited for.
void print_events(const description& all, std::ostream& out)
{
    text_table table({"events of", "owner", "mask", "by", "epoch", "since", "recorded", "delivering", "standing by, in order"});
    for (const socket_description& each : all.sockets) {
        if (!each.registration && each.line.empty() && !each.delivering) {
            continue;
        }
        std::vector<std::string> line;
        for (const holder_description& holder : each.line) {
            line.push_back(to_string(holder.process));
        }
        const auto& now  = each.registration;
        const auto owner = now ? all.find(now->owner) : nullptr;
        std::string who  = now ? to_string(now->owner) : "nobody";
        if (owner != nullptr) {
            who += " pid " + std::to_string(owner->info.pid);
        }
        table.row({to_string(each.id), who, now ? to_string(now->mask) : "-", now ? to_string(now->kind) : "-",
                   std::to_string(each.epoch), now ? to_age(now->since_ns) : "-",
                   or_dash(any(each.recorded) ? to_string(each.recorded) : ""), each.delivering ? to_string(each.delivering) : "-",
                   or_dash(joined(line, " "))});
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

void print_names(const description& all, std::ostream& out)
{
    text_table table({"name", "socket"});
    for (const name_description& each : all.names) {
        table.row({printable(each.name), to_string(each.socket)});
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

void print_tickets(const description& all, std::ostream& out)
{
    text_table table({"ticket", "socket", "state", "from", "for"});
    for (const socket_description& socket : all.sockets) {
        for (const ticket_description& each : socket.tickets) {
            table.row({to_string(each.handle), to_string(socket.id), to_string(each.state), to_string(each.source),
                       each.target ? name_of(all, each.target) : "pid " + std::to_string(each.target_pid) + ", when it attaches"});
        }
    }
    if (!table.empty()) {
        table.print(out << '\n');
    }
}

// --- for programs ---------------------------------------------------------------------------------------------------

void print_json(const std::string& name, const snapshot& state, const description& all, std::ostream& out)
{
    const auto& header   = state.header();
    const auto& capacity = state.plan().capacity;
    json_writer(out).object([&](json_writer& document) {
        const auto use = [&](const char* key, std::size_t used, std::uint32_t most) {
            document.object(key, [&] {
                document.field("used", used);
                document.field("capacity", most);
            });
        };
        document.field("name", name);
        document.field("state", state.in_use() ? "live" : "idle");
        document.field("steady", state.steady());
        document.field("uuid", to_uuid(header.uuid));
        document.field("created_ns", header.created_ns);
        document.field("creator_pid", header.creator_pid);
        document.field("layout_version", header.version);
        document.field("layout_hash", to_hex(header.layout_hash));
        document.field("memory_bytes", state.memory_bytes());
        document.field("size_bytes", state.plan().size_bytes);
        document.object("use", [&] {
            use("processes", all.processes.size(), capacity.processes);
            use("sockets", all.sockets.size(), capacity.sockets);
            use("handles", handle_count(all), capacity.handles);
            use("names", all.names.size(), capacity.names);
        });
        document.object("counters", [&] {
            for (const counter& each : counters) {
                document.field(each.key, (header.*each.cell).load());
            }
        });
        document.array("processes", [&] {
            for (const process_description& each : all.processes) {
                document.object([&] {
                    document.field("id", to_string(each.info.id));
                    document.field("pid", each.info.pid);
                    document.field("own_pid_namespace", each.own_namespace);
                    document.field("name", each.info.name);
                    document.field("alive", each.info.alive);
                    document.field("worker", to_string(each.part.what));
                    document.field("worker_place", each.part.is_worker() ? std::optional(each.part.value) : std::nullopt);
                    document.field("load", each.info.load);
                    document.field("handles", each.handles);
                    document.field("attached_ns", each.info.attached_ns);
                });
            }
        });
        document.array("sockets", [&] {
            for (const socket_description& each : all.sockets) {
                document.object([&] { tell(each, all, document); });
            }
        });
    });
}

} // namespace

exit_code show(const arguments& given, std::ostream& out)
{
    const std::string& name = given.operand();
    error_code ec;
    const snapshot state = snapshot::take(name, given.options(name), ec);
    if (ec) {
        throw cannot_open(name, given, ec);
    }
    kernel_sockets kernel;
    const description all = describe(state, kernel);
    if (given.json) {
        print_json(name, state, all, out);
        return exit_code::ok;
    }
    print_header(name, state, all, out);
    print_processes(all, out);
    print_sockets(all, out);
    print_acceptors(all, out);
    print_events(all, out);
    print_names(all, out);
    print_tickets(all, out);
    return exit_code::ok;
}

} // namespace sharedsock::command
