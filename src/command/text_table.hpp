// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "audit/wording.hpp"

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace sharedsock::command {

/// Rows of text under headings, in columns as wide as their contents.
class text_table {
public:
    explicit text_table(std::vector<std::string> headings) : rows_{std::move(headings)} {}

    /// One cell for each heading.
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    bool empty() const noexcept { return rows_.size() == 1; }

    void print(std::ostream& out) const
    {
        std::vector<std::size_t> widths(rows_.front().size());
        for (const auto& cells : rows_) {
            for (std::size_t column = 0; column < cells.size(); ++column) {
                widths[column] = std::max(widths[column], width(cells[column]));
            }
        }
        for (const auto& cells : rows_) {
            for (std::size_t column = 0; column < cells.size(); ++column) {
                const bool last = column + 1 == cells.size();
                out << cells[column] << std::string(last ? 0 : widths[column] - width(cells[column]) + 2, ' ');
            }
            out << '\n';
        }
    }

private:
    // Characters of UTF-8: all bytes but those that continue one.
    static std::size_t width(const std::string& text)
    {
        return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
    }

    std::vector<std::vector<std::string>> rows_;
};

} // namespace sharedsock::command
