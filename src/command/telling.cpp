// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/telling.hpp"

#include <optional>
#include <string_view>

namespace sharedsock::command {
namespace {

// Writes a process as a member of a larger object; its pid and name only if they are known.
void tell_process(std::string_view key, process_id who, const description& state, json_writer& document)
{
    const process_description* const process = state.find(who);
    document.object(key, [&] {
        document.field("id", to_string(who));
        document.field("pid", process != nullptr ? std::optional(process->info.pid) : std::nullopt);
        document.field("name", process != nullptr ? std::optional(process->info.name) : std::nullopt);
        document.field("alive", process != nullptr && process->info.alive);
    });
}

std::optional<std::string> text_of(const std::optional<socket_address>& address)
{
    return address ? std::optional(to_string(*address)) : std::nullopt;
}

} // namespace

std::string name_of(const description& state, process_id who)
{
    const process_description* const process = state.find(who);
    if (process == nullptr) {
        return to_string(who);
    }
    return printable(process->info.name) + " pid " + std::to_string(process->info.pid) + " (" + to_string(who) +
           (process->info.alive ? ")" : ", dead)");
}

std::string local_of(const socket_description& socket) { return socket.kernel ? printable(to_string(socket.kernel->local)) : "?"; }

void tell(const socket_description& socket, const description& state, json_writer& document)
{
    const auto address = [&](auto part) { return socket.kernel ? text_of((*socket.kernel).*part) : std::nullopt; };
    document.field("id", to_string(socket.id));
    document.field("index", socket.id.index);
    document.field("generation", socket.id.generation);
    document.field("kind", kind_of(socket));
    document.field("family", socket.family);
    document.field("type", socket.type);
    document.field("protocol", socket.protocol);
    document.field("cookie", socket.cookie);
    document.field("inode", socket.kernel ? std::optional(socket.kernel->inode) : std::nullopt);
    document.field("created_ns", socket.created_ns);
    document.field("local", socket.kernel ? text_of(socket.kernel->local) : std::nullopt);
    document.field("peer", address(&kernel_socket::peer));
    document.field("listening", socket.listening);
    document.field("blocking", socket.blocking);
    document.field("terminal_error", socket.terminal_error.value());
    document.array("names", [&] {
        for (const std::string& name : socket.names) {
            document.element(name);
        }
    });
    document.array("handles", [&] {
        for (const holder_description& each : socket.holders) {
            document.object([&] {
                document.field("id", to_string(each.handle));
                document.field("descriptor", each.descriptor);
                document.field("accepts_in_turn", each.accepts_in_turn);
                tell_process("process", each.process, state, document);
            });
        }
    });
    document.field("epoch", socket.epoch);
    if (!socket.registration) {
        document.field("registration", nullptr);
    } else {
        document.object("registration", [&] {
            tell_process("owner", socket.registration->owner, state, document);
            document.field("kind", to_string(socket.registration->kind));
            document.field("mask", to_string(socket.registration->mask));
            document.field("epoch", socket.registration->epoch);
            document.field("since_ns", socket.registration->since_ns);
        });
    }
    document.field("delivering", socket.delivering ? std::optional(to_string(socket.delivering)) : std::nullopt);
    document.field("recorded", to_string(socket.recorded));
    document.array("standing_by", [&] {
        for (const holder_description& each : socket.line) {
            document.object([&] {
                document.field("mask", to_string(each.standby_mask));
                tell_process("process", each.process, state, document);
            });
        }
    });
    document.array("tickets", [&] {
        for (const ticket_description& each : socket.tickets) {
            document.object([&] {
                document.field("id", to_string(each.handle));
                document.field("state", to_string(each.state));
                tell_process("source", each.source, state, document);
                document.field("target", each.target ? std::optional(to_string(each.target)) : std::nullopt);
                document.field("target_pid", each.target ? std::nullopt : std::optional(each.target_pid));
            });
        }
    });
}

} // namespace sharedsock::command
