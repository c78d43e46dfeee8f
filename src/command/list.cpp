// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/snapshot.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/text_table.hpp"
#include "command/verb.hpp"
#include "layout/worker_word.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_directory.hpp"

#include <cerrno>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace sharedsock::command {
namespace {

using namespace detail;

struct usage {
    std::uint32_t processes = 0; ///< attached and alive
    std::uint32_t dead      = 0; ///< not swept yet
    std::uint32_t sockets   = 0;
    std::uint32_t handles   = 0; ///< and tickets
    std::uint32_t wanted    = 0; ///< workers that their parents want
    std::uint32_t ready     = 0; ///< workers that are
};

struct row {
    std::string name;
    condition what;
    std::optional<usage> used; ///< if it can be read
    std::uint64_t memory_bytes = 0;
    std::uint64_t created_ns   = 0;
};

usage count(const snapshot& state)
{
    const table_view& bytes = state.bytes();
    usage result;
    for (std::uint32_t index = 0; index < bytes.capacity.processes; ++index) {
        if (!load(*bytes.process(index)).used) {
            continue;
        }
        ++(state.alive(index) ? result.processes : result.dead);
        const auto part = worker_word::decode(bytes.process(index)->worker.load());
        if (state.alive(index)) {
            result.wanted += part.what == worker_word::role::parent ? part.value : 0;
            result.ready += part.serves();
        }
    }
    for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index) {
        result.handles += load(*bytes.handle(index)).state != handle_state::free;
    }
    for (std::uint32_t index = 0; index < bytes.sockets_backed(); ++index) {
        result.sockets += load(*bytes.socket(index)).state == slot_state::live;
    }
    return result;
}

// From the files alone, of a segment whose memory tells nothing.
row describe_files(const std::string& name, condition what, const arguments& given)
{
    row result{name, std::move(what), {}, 0, 0};
    const std::string directory = given.directory + '/' + entry_prefix(file_access::of(given.options()).owner) + name;
    struct stat status;
    if (::stat(directory.c_str(), &status) == 0) {
        result.created_ns =
            static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
    }
    if (::stat((directory + "/memory").c_str(), &status) == 0) {
        result.memory_bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return result;
}

row describe_unnamed(const std::string& name, const arguments& given)
{
    const unique_fd directory = new_fd::open(
        (given.directory + '/' + entry_prefix(file_access::of(given.options()).owner) + name).c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory) {
        const error_code ec = errno == EACCES ? make_error_code(errc::access_denied) : last_error(sys<"openat">);
        return describe_files(name, condition_of(ec), given);
    }
    const bool live = any_process_in(directory.get());
    return describe_files(name, {live ? "live" : "idle", "unnamed"}, given);
}

std::optional<row> look_at(const std::string& name, const arguments& given)
{
    if (name.starts_with('@')) {
        return describe_unnamed(name, given);
    }
    error_code ec;
    const snapshot state = snapshot::take(name, given.options(name), ec);
    if (ec == errc::segment_not_found) { // removed since it was listed
        return std::nullopt;
    }
    if (ec) {
        return describe_files(name, condition_of(ec), given);
    }
    return row{name, {state.in_use() ? "live" : "idle", ""}, count(state), state.memory_bytes(), state.header().created_ns};
}

void print(const std::vector<row>& rows, const arguments& given, std::ostream& out)
{
    if (rows.empty()) {
        out << "no segments " << whose(given) << " below " << given.directory << '\n';
        return;
    }
    text_table table({"segment", "state", "processes", "sockets", "handles", "memory", "age", "workers"});
    for (const row& each : rows) {
        const auto number = [&](std::uint32_t usage::*part) { return each.used ? std::to_string(each.used.value().*part) : "-"; };
        std::string processes = number(&usage::processes);
        if (each.used && each.used->dead != 0) {
            processes += " + " + std::to_string(each.used->dead) + " dead";
        }
        const bool has_workers    = each.used && each.used->wanted + each.used->ready != 0;
        const std::string workers = has_workers ? number(&usage::ready) + " of " + number(&usage::wanted) + " ready" : "-";
        table.row({printable(each.name), each.what.state + (each.what.reason.empty() ? "" : ": " + each.what.reason), processes,
                   number(&usage::sockets), number(&usage::handles), to_size(each.memory_bytes), to_age(each.created_ns), workers});
    }
    table.print(out);
}

void print_json(const std::vector<row>& rows, const arguments& given, std::ostream& out)
{
    json_writer(out).object([&](json_writer& document) {
        document.field("directory", given.directory);
        document.array("segments", [&] {
            for (const row& each : rows) {
                const auto number = [&](std::uint32_t usage::*part) {
                    return each.used ? std::optional(each.used.value().*part) : std::nullopt;
                };
                document.object([&] {
                    document.field("name", each.name);
                    document.field("state", each.what.state);
                    document.field("reason", each.what.reason);
                    document.field("processes", number(&usage::processes));
                    document.field("dead_processes", number(&usage::dead));
                    document.field("workers_wanted", number(&usage::wanted));
                    document.field("workers_ready", number(&usage::ready));
                    document.field("sockets", number(&usage::sockets));
                    document.field("handles", number(&usage::handles));
                    document.field("memory_bytes", each.memory_bytes);
                    document.field("created_ns", each.created_ns);
                });
            }
        });
    });
}

} // namespace

exit_code list(const arguments& given, std::ostream& out)
{
    std::vector<row> rows;
    for (const std::string& name : segment_names(given)) {
        if (auto found = look_at(name, given)) {
            rows.push_back(*std::move(found));
        }
    }
    given.json ? print_json(rows, given, out) : print(rows, given, out);
    return exit_code::ok;
}

} // namespace sharedsock::command
