// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/program.hpp"

#include "command/json_writer.hpp"
#include "command/verb.hpp"
#include "layout/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <iomanip>
#include <string>
#include <string_view>

#ifndef SHAREDSOCK_VERSION
#define SHAREDSOCK_VERSION "0.1.0"
#endif

namespace sharedsock::command {
namespace {

constexpr std::string_view common_help = R"(
Options of every verb:
  --directory D  where the segments live; /dev/shm if not given
  --owner UID    the user whose segments are meant, by number; your own if not given
  --json         one JSON document on standard output, for programs
  --help         help; also for a verb alone
  --version      the version of this program and of the segments it reads

Exit codes:
  0  yes: done, found, or no damage
  1  no: found nothing, found damage, or in use
  2  the command line means nothing
  3  something cannot be read or changed
)";

void print_help(std::ostream& out)
{
    out << "usage: sharedsock VERB [OPERAND] [OPTION]...\n"
           "Looks at segments of shared sockets, checks and cleans them. Only sweep, rm and check --repair change anything.\n\n";
    for (const verb& each : verbs()) {
        out << "  " << std::left << std::setw(7) << each.name << each.summary << '\n';
    }
    out << common_help;
}

void print_help(std::ostream& out, const verb& one)
{
    out << "usage: sharedsock " << one.name << ' ' << one.operands << (one.operands.empty() ? "" : " ")
        << "[--directory D] [--owner UID] [--json]\n"
        << one.summary << '\n'
        << one.details << common_help;
}

void print_version(std::ostream& out, bool json)
{
    if (!json) {
        out << "sharedsock " SHAREDSOCK_VERSION ", segment layout " << detail::layout_version << '\n';
        return;
    }
    json_writer(out).object([](json_writer& document) {
        document.field("version", SHAREDSOCK_VERSION);
        document.field("layout_version", detail::layout_version);
        document.field("layout_hash", to_hex(detail::layout_hash));
    });
}

const verb& find_verb(const arguments& given)
{
    if (given.words.empty()) {
        throw failure(exit_code::usage, "no verb was given; see 'sharedsock --help'");
    }
    const std::string& name = given.words.front();
    const auto found        = std::find_if(verbs().begin(), verbs().end(), [&](const verb& each) { return each.name == name; });
    if (found == verbs().end()) {
        throw failure(exit_code::usage, "unknown verb '" + name + "'; see 'sharedsock --help'");
    }
    return *found;
}

void check_usage(const verb& wanted, const arguments& given)
{
    const std::string help     = "; see 'sharedsock " + std::string(wanted.name) + " --help'";
    const std::size_t operands = given.words.size() - 1;
    if (operands < wanted.least_words) {
        throw failure(exit_code::usage,
                      "something is missing: sharedsock " + std::string(wanted.name) + " " + std::string(wanted.operands) + help);
    }
    if (operands > wanted.most_words) {
        throw failure(exit_code::usage, "'" + given.words.back() + "' is one word too many" + help);
    }
    for (const std::string& flag : given.flags) {
        const bool common =
            flag == "--directory" || flag == "--owner" || flag == "--json" || flag == "--help" || flag == "--version";
        if (!common && std::find(wanted.options.begin(), wanted.options.end(), flag) == wanted.options.end()) {
            throw failure(exit_code::usage, "'" + std::string(wanted.name) + "' takes no option '" + flag + "'" + help);
        }
    }
}

} // namespace

exit_code answer(const arguments& given, std::ostream& out)
{
    if (given.version) {
        print_version(out, given.json);
        return exit_code::ok;
    }
    if (given.help && given.words.empty()) {
        print_help(out);
        return exit_code::ok;
    }
    const verb& wanted = find_verb(given);
    if (given.help) {
        print_help(out, wanted);
        return exit_code::ok;
    }
    check_usage(wanted, given);
    return wanted.run(given, out);
}

} // namespace sharedsock::command
