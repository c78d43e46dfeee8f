// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string_view>

namespace bench {
namespace {

std::string number(double value, int decimals)
{
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

// Three significant digits, or all before the point.
std::string readable(double value)
{
    return number(value, value < 9.95 && value > -9.95 ? 2 : value < 99.95 && value > -99.95 ? 1 : 0);
}
std::string readable(const std::optional<double>& value) { return value ? readable(*value) : "-"; }

std::optional<double> minus(const std::optional<double>& a, const std::optional<double>& b)
{
    return a && b ? std::optional(*a - *b) : std::nullopt;
}

// Once a second a process confirms that it still holds its liveness lock. That is a fraction of a call for each of the counted
// operations, and does not belong to them.
std::optional<double> whole(const std::optional<double>& calls) { return calls ? std::optional(std::floor(*calls)) : std::nullopt; }

std::optional<double> quotient(const std::optional<double>& a, const std::optional<double>& b)
{
    return a && b && *b >= 10 ? std::optional(*a / *b) : std::nullopt; // a floor below 10 is too small to compare with
}

const char* word(row::verdict value)
{
    switch (value) {
    case row::verdict::met:
        return "met";
    case row::verdict::missed:
        return "MISSED";
    case row::verdict::none:
        break;
    }
    return "-";
}

using line = std::vector<std::string>;

void print_lines(std::ostream& out, const std::vector<line>& lines)
{
    std::vector<std::size_t> widths(lines.front().size());
    for (const line& one : lines)
        for (std::size_t i = 0; i < one.size(); ++i)
            widths[i] = std::max(widths[i], one[i].size());
    for (std::size_t n = 0; n < lines.size(); ++n) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::string pad(widths[i] - lines[n][i].size(), ' ');
            out << (i == 0 ? "| " + lines[n][i] + pad : " | " + pad + lines[n][i]);
        }
        out << " |\n";
        if (n != 0) continue;
        for (std::size_t i = 0; i < widths.size(); ++i)
            out << '|' << (i == 0 ? ":" : "-") << std::string(widths[i], '-') << (i == 0 ? "-" : ":");
        out << "|\n";
    }
}

std::string quoted(std::string_view text)
{
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + '"';
}

std::string json_number(const std::optional<double>& value) { return value ? number(*value, 3) : "null"; }

void print_side(std::ostream& out, std::string_view name, const figures& side)
{
    out << quoted(name) << ": {\"ns\": " << json_number(side.median()) << ", \"repetitions_ns\": [";
    for (std::size_t i = 0; i < side.nanoseconds.size(); ++i)
        out << (i == 0 ? "" : ", ") << number(side.nanoseconds[i], 3);
    out << "], \"user_instructions\": " << json_number(side.instructions) << ", \"system_calls\": " << json_number(side.calls)
        << ", \"error\": " << quoted(side.error) << '}';
}

void add(figures& sum, const figures& part)
{
    if (sum.nanoseconds.empty()) {
        sum.nanoseconds  = {0};
        sum.instructions = sum.calls = 0;
    }
    const auto plus = [](std::optional<double>& a, const std::optional<double>& b) {
        a = a && b ? std::optional(*a + *b) : std::nullopt;
    };
    if (const auto median = part.median())
        sum.nanoseconds.front() += *median; // of medians
    else
        sum.error = "a part is missing";
    plus(sum.instructions, part.instructions);
    plus(sum.calls, part.calls);
}

} // namespace

std::string goal::text() const
{
    std::string text;
    const auto also = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    if (ratio) also("<= " + number(*ratio, 2));
    if (nanoseconds) also("<= " + number(*nanoseconds, 0) + " ns");
    if (extra_instructions) also("<= +" + number(*extra_instructions, 0) + " instr");
    if (extra_calls) also("+" + number(*extra_calls, 0) + " calls");
    return text.empty() ? "-" : text;
}

std::optional<double> figures::median() const
{
    if (nanoseconds.empty() || !error.empty()) return std::nullopt;
    std::vector<double> sorted = nanoseconds;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 != 0 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

row::verdict row::judge() const
{
    bool asked = false, unknown = false, missed = false;
    const auto check = [&](const std::optional<double>& limit, const std::optional<double>& value) {
        if (!limit) return;
        asked = true;
        if (!value)
            unknown = true;
        else if (*value > *limit)
            missed = true;
    };
    check(wanted.ratio, quotient(ours.median(), floor.median()));
    check(wanted.nanoseconds, ours.median());
    check(wanted.extra_instructions, minus(ours.instructions, floor.instructions));
    check(wanted.extra_calls, whole(minus(ours.calls, floor.calls)));
    if (missed || !ours.error.empty()) return verdict::missed;
    return asked && !unknown ? verdict::met : verdict::none;
}

void add_up(const comparisons& all, std::vector<row>& rows)
{
    for (const comparison& sum : all) {
        if (sum.parts.empty()) continue;
        const auto target = std::find_if(rows.begin(), rows.end(), [&](const row& one) { return one.operation == sum.operation; });
        if (target == rows.end()) continue;
        for (const std::string& part : sum.parts) {
            const auto found = std::find_if(rows.begin(), rows.end(), [&](const row& one) { return one.operation == part; });
            add(target->floor, found != rows.end() ? found->floor : figures{});
            add(target->ours, found != rows.end() ? found->ours : figures{});
        }
    }
}

void print_table(std::ostream& out, const std::vector<row>& rows, const memory_figures& memory)
{
    std::vector<line> lines{{"operation", "floor ns", "ours ns", "ratio", "user instr", "+ instr", "calls", "+ calls", "goal", ""}};
    for (const row& one : rows) {
        const figures &floor = one.floor, &ours = one.ours;
        lines.push_back(
            {one.operation, readable(floor.median()), readable(ours.median()), readable(quotient(ours.median(), floor.median())),
             readable(floor.instructions) + " -> " + readable(ours.instructions),
             readable(minus(ours.instructions, floor.instructions)), readable(floor.calls) + " -> " + readable(ours.calls),
             readable(minus(ours.calls, floor.calls)), one.wanted.text(), word(one.judge())});
    }
    print_lines(out, lines);
    out << '\n';
    for (const auto& [handles, bytes] : memory)
        out << "Shared memory of a socket with " << handles << (handles == 1 ? " handle: " : " handles: ") << number(bytes, 1)
            << " bytes (goal: <= " << number(memory_goal_bytes, 0) << ", " << (bytes <= memory_goal_bytes ? "met" : "MISSED")
            << ")\n";
    for (const row& one : rows)
        for (const figures* side : {&one.floor, &one.ours})
            if (!side->error.empty())
                out << one.operation << (side == &one.floor ? ", floor: " : ", ours: ") << side->error << '\n';
}

void print_json(std::ostream& out, const std::vector<row>& rows, const memory_figures& memory)
{
    out << "{\n  \"shared_bytes_per_socket\": {";
    const char* comma = "";
    for (const auto& [handles, bytes] : memory)
        out << std::exchange(comma, ", ") << '"' << handles << "_handles\": " << number(bytes, 1);
    out << "},\n  \"operations\": [\n";
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const row& one = rows[i];
        out << "    {\"operation\": " << quoted(one.operation) << ", \"goal\": " << quoted(one.wanted.text())
            << ", \"verdict\": " << quoted(word(one.judge())) << ", ";
        print_side(out, "floor", one.floor);
        out << ", ";
        print_side(out, "ours", one.ours);
        out << '}' << (i + 1 < rows.size() ? "," : "") << '\n';
    }
    out << "  ]\n}\n";
}

} // namespace bench
