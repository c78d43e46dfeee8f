// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "command/arguments.hpp"
#include "command/failure.hpp"

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::command {

/// One command of the program. `run` writes its answer to `out`, one JSON document or text for people, or throws.
struct verb {
    std::string_view name;
    std::string_view operands;             ///< as the usage line shows them, with the verb's own options
    std::string_view summary;              ///< one line of `sharedsock --help`
    std::string_view details;              ///< the rest of `sharedsock <verb> --help`
    std::vector<std::string_view> options; ///< besides those that every verb takes
    std::size_t least_words;               ///< operands
    std::size_t most_words;
    exit_code (*run)(const arguments& given, std::ostream& out);
};

// Each in a file of its own name.
exit_code list(const arguments& given, std::ostream& out);
exit_code show(const arguments& given, std::ostream& out);
exit_code who(const arguments& given, std::ostream& out);
exit_code check(const arguments& given, std::ostream& out);
exit_code sweep(const arguments& given, std::ostream& out);
exit_code rm(const arguments& given, std::ostream& out);

const std::vector<verb>& verbs(); ///< in the order of the help; verb.cpp

/// A remark on stderr that does not end the program.
void remark(const std::string& sentence);

} // namespace sharedsock::command
