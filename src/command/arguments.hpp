// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/segment.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sharedsock::command {

/// The command line, taken apart. Options may stand anywhere; "--" ends them.
struct arguments {
    std::vector<std::string> words; ///< all that are no options: the verb and its operands
    std::vector<std::string> flags; ///< the options that were given, by name, for a check against the verb's options
    std::string directory = segment_options{}.directory;
    std::optional<std::string> segment; ///< --segment
    std::optional<std::uint32_t> owner; ///< --owner, a uid
    bool all     = false;
    bool force   = false;
    bool help    = false;
    bool json    = false;
    bool repair  = false;
    bool version = false;

    const std::string& operand() const { return words.at(1); }
    segment_options options() const;
    /// For that segment: with the group, if any, to which its owner has opened it.
    segment_options options(const std::string& name) const;
};

/// Takes `words` (without the program's name) apart; throws `failure` for an option that no verb knows.
arguments parse(const std::vector<std::string>& words);

} // namespace sharedsock::command
