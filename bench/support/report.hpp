// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/comparison.hpp"

#include <cstddef>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bench {

/// The figures of one side, of one operation.
struct figures {
    std::vector<double> nanoseconds; ///< one for each repetition
    std::optional<double> instructions, calls;
    std::string call_names, error;

    std::optional<double> median() const;
};

/// A line of the table.
struct row {
    std::string operation;
    goal wanted;
    figures floor, ours;

    enum class verdict { none, met, missed };
    verdict judge() const; ///< `none`: nothing is asked, or a figure is missing
};

/// Shared memory of one socket, by the count of its handles.
using memory_figures                      = std::map<int, double>;
inline constexpr double memory_goal_bytes = 512;

/// Fills in the lines that are sums of others.
void add_up(const comparisons& all, std::vector<row>& rows);

void print_table(std::ostream& out, const std::vector<row>& rows, const memory_figures& memory);
void print_json(std::ostream& out, const std::vector<row>& rows, const memory_figures& memory);

} // namespace bench
