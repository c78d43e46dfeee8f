// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "inspection.hpp"
#include "json_writer.hpp"
#include "opening.hpp"
#include "verb.hpp"
#include "wording.hpp"

#include <algorithm>

namespace sharedsock::command {
namespace {

constexpr const char* weight_of(const finding& one)
{
    return one.what == finding::weight::damage ? "damage" : "not swept yet";
}

void print(const std::string& name, const std::vector<finding>& findings, bool damaged, std::ostream& out)
{
    for (const finding& each : findings) {
        out << weight_of(each) << ": " << each.text << '\n';
    }
    out << "segment " << name;
    if (damaged) {
        out << " is damaged: stop its processes, 'sharedsock rm " << name << "', and start them again\n";
    } else if (!findings.empty()) {
        out << " is sound; 'sharedsock sweep " << name
            << "' ends what the dead have left, as does the next process that waits for it\n";
    } else {
        out << " is sound\n";
    }
}

void print_json(const std::string& name, const std::vector<finding>& findings, bool damaged, std::ostream& out)
{
    json_writer(out).object([&](json_writer& document) {
        document.field("name", name);
        document.field("damaged", damaged);
        document.array("findings", [&] {
            for (const finding& each : findings) {
                document.object([&] {
                    document.field("weight", each.what == finding::weight::damage ? "damage" : "unswept");
                    document.field("text", each.text);
                });
            }
        });
    });
}

} // namespace

exit_code check(const arguments& given, std::ostream& out)
{
    const std::string& name = given.operand();
    error_code ec;
    std::vector<finding> findings = inspect(name, given.options(), ec);
    if (ec) {
        const condition how = condition_of(ec);
        if (how.state != "damaged") {
            throw cannot_open(name, given, ec);
        }
        findings.push_back({finding::weight::damage, how.reason});
    }
    const bool damaged = std::any_of(findings.begin(), findings.end(),
                                     [](const finding& each) { return each.what == finding::weight::damage; });
    given.json ? print_json(name, findings, damaged, out) : print(name, findings, damaged, out);
    return damaged ? exit_code::negative : exit_code::ok;
}

} // namespace sharedsock::command
