// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/description.hpp"
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/telling.hpp"
#include "command/verb.hpp"
#include "store/segment_directory.hpp"

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::command {
namespace {

struct swept {
    std::string segment;
    std::vector<process_description> gone;
    std::vector<process_description> left; // not swept: a stopped process holds a lock that is needed for it
    bool removed = false;                  // an unnamed segment whose members have all died: no process can come back to it
};

std::vector<process_description> dead_of(const std::string& name, const arguments& given)
{
    error_code ec;
    const snapshot state = snapshot::take(name, given.options(name), ec);
    if (ec) {
        throw cannot_open(name, given, ec);
    }
    kernel_sockets kernel;
    auto processes = describe(state, kernel).processes;
    std::erase_if(processes, [](const process_description& each) { return each.info.alive; });
    return processes;
}

// Compares the tables before and after, because attaching itself sweeps too.
swept sweep_one(const std::string& name, const arguments& given)
{
    swept result{name, dead_of(name, given), {}};
    if (result.gone.empty()) {
        return result;
    }
    error_code ec;
    segment attached = segment::open(name, given.options(name), ec);
    if (ec) {
        throw cannot_open(name, given, ec);
    }
    attached.sweep();
    result.left        = dead_of(name, given);
    const auto is_left = [&](const process_description& each) {
        return std::any_of(result.left.begin(), result.left.end(),
                           [&](const auto& other) { return other.info.id == each.info.id; });
    };
    std::erase_if(result.gone, is_left);
    return result;
}

// Its memory went with the last member that had it.
bool remove_if_abandoned(const std::string& unnamed, const arguments& given)
{
    error_code ec;
    const bool removed = segment::remove(unnamed, given.options(unnamed), false, ec);
    if (ec && ec != errc::segment_in_use) {
        throw cannot_open(unnamed, given, ec);
    }
    return removed;
}

std::string names_of(const std::vector<process_description>& processes)
{
    std::vector<std::string> names;
    names.reserve(processes.size());
    for (const process_description& each : processes) {
        names.push_back(printable(each.info.name) + " pid " + std::to_string(each.info.pid));
    }
    return joined(names, ", ");
}

void print(const swept& one, std::ostream& out)
{
    out << "segment " << one.segment << ": ";
    if (one.removed) {
        out << "removed, all its members have died\n";
        return;
    }
    if (one.gone.empty() && one.left.empty()) {
        out << "no dead process to sweep\n";
        return;
    }
    out << "swept " << counted(one.gone.size(), "process") << (one.gone.empty() ? "" : ": ") << names_of(one.gone) << '\n';
    if (!one.left.empty()) {
        out << "  still there: " << names_of(one.left) << "; a process that holds a lock is stopped: continue or kill it\n";
    }
}

void print_json(const std::vector<swept>& all, std::ostream& out)
{
    json_writer(out).object([&](json_writer& document) {
        const auto tell = [&](std::string_view key, const std::vector<process_description>& processes) {
            document.array(key, [&] {
                for (const process_description& each : processes) {
                    document.object([&] {
                        document.field("id", to_string(each.info.id));
                        document.field("pid", each.info.pid);
                        document.field("name", each.info.name);
                    });
                }
            });
        };
        document.array("segments", [&] {
            for (const swept& each : all) {
                document.object([&] {
                    document.field("name", each.segment);
                    document.field("swept_count", each.gone.size());
                    tell("swept", each.gone);
                    tell("left", each.left);
                    document.field("removed", each.removed);
                });
            }
        });
    });
}

} // namespace

exit_code sweep(const arguments& given, std::ostream& out)
{
    if (given.all == (given.words.size() > 1)) {
        throw failure(exit_code::usage, "either a segment or --all has to be swept; see 'sharedsock sweep --help'");
    }
    exit_code code = exit_code::ok;
    std::vector<swept> done;
    if (given.all) {           // and what has no name any more
        error_code unreadable; // said below
        const detail::segment_directory place(given.directory, {}, unreadable, detail::file_access::of(given.options()));
        if (!unreadable) {
            place.remove_unused(place.temporary_prefix());
        }
    }
    for (const std::string& name : given.all ? segment_names(given) : std::vector{given.operand()}) {
        try {
            if (given.all && name.starts_with('@')) {
                if (remove_if_abandoned(name, given)) {
                    done.push_back({name, {}, {}, true});
                }
                continue;
            }
            done.push_back(sweep_one(name, given));
            code = done.back().left.empty() ? code : std::max(code, exit_code::negative);
        } catch (const failure& why) {
            if (!given.all) {
                throw;
            }
            remark(why.what()); // a segment that cannot be swept is no reason to leave the others
            code = std::max(code, why.code());
        }
    }
    if (given.json) {
        print_json(done, out);
    } else {
        std::for_each(done.begin(), done.end(), [&](const swept& each) { print(each, out); });
    }
    return code;
}

} // namespace sharedsock::command
