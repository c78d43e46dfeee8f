// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/attachment.hpp"
#include "audit/inspection.hpp"
#include "audit/repair.hpp"
#include "audit/wording.hpp"
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/verb.hpp"

#include <algorithm>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace sharedsock::command {
namespace {

constexpr const char* weight_of(const finding& one) { return one.what == finding::weight::damage ? "damage" : "not swept yet"; }

bool any_damage(const std::vector<finding>& findings)
{
    return std::any_of(findings.begin(), findings.end(), [](const finding& each) { return each.what == finding::weight::damage; });
}

// Repairs; returns the findings that are gone, and leaves the others in `findings`.
std::vector<finding> mend(const std::string& name, const arguments& given, std::vector<finding>& findings)
{
    error_code ec;
    {
        const segment attached         = segment::open(name, given.options(name), ec);
        detail::membership* const self = ec ? nullptr : attached.attachment()->member();
        if (self == nullptr) {
            throw cannot_open(name, given, ec);
        }
        repair(*self);
    }
    std::vector<finding> left = inspect(name, given.options(name), ec);
    if (ec) {
        throw cannot_open(name, given, ec);
    }
    std::vector<finding> mended;
    std::set_difference(findings.begin(), findings.end(), left.begin(), left.end(), std::back_inserter(mended));
    findings = std::move(left);
    return mended;
}

void print(const std::string& name, const std::vector<finding>& mended, const std::vector<finding>& findings, bool damaged,
           std::ostream& out)
{
    for (const finding& each : mended) {
        out << "mended: " << each.text << '\n';
    }
    for (const finding& each : findings) {
        out << weight_of(each) << ": " << each.text << '\n';
    }
    out << "segment " << name;
    if (damaged) {
        out << " is damaged: stop its processes, 'sharedsock rm " << name << "', and start them again\n";
    } else if (!findings.empty()) {
        out << " is sound; 'sharedsock sweep " << name
            << "' ends what dead processes have left, as does the next process that waits for it\n";
    } else {
        out << " is sound\n";
    }
}

void print_json(const std::string& name, const std::vector<finding>& mended, const std::vector<finding>& findings, bool damaged,
                std::ostream& out)
{
    const auto list = [](json_writer& document, const std::vector<finding>& all) {
        for (const finding& each : all) {
            document.object([&] {
                document.field("weight", each.what == finding::weight::damage ? "damage" : "unswept");
                document.field("text", each.text);
            });
        }
    };
    json_writer(out).object([&](json_writer& document) {
        document.field("name", name);
        document.field("damaged", damaged);
        document.array("mended", [&] { list(document, mended); });
        document.array("findings", [&] { list(document, findings); });
    });
}

} // namespace

exit_code check(const arguments& given, std::ostream& out)
{
    const std::string& name = given.operand();
    error_code ec;
    std::vector<finding> findings = inspect(name, given.options(name), ec);
    if (ec) {
        const condition how = condition_of(ec);
        if (how.state != "damaged") {
            throw cannot_open(name, given, ec);
        }
        findings.push_back({finding::weight::damage, how.reason});
    }
    std::vector<finding> mended;
    if (given.repair && !ec) {
        mended = mend(name, given, findings);
    }
    const bool damaged = any_damage(findings);
    given.json ? print_json(name, mended, findings, damaged, out) : print(name, mended, findings, damaged, out);
    return damaged ? exit_code::negative : exit_code::ok;
}

} // namespace sharedsock::command
