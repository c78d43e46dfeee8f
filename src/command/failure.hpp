// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <stdexcept>
#include <string>

namespace sharedsock::command {

/// The exit codes of the program, a part of its interface: `sharedsock --help` tells them.
enum class exit_code {
    ok         = 0,
    negative   = 1, ///< the answer is no: nothing found, damage found, or the segment is in use
    usage      = 2,
    unreadable = 3, ///< the segment exists, but cannot be read or changed
};

/// The reason why a verb gives up, and the next step, in one sentence.
class failure : public std::runtime_error {
public:
    failure(exit_code code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

    exit_code code() const noexcept { return code_; }

private:
    exit_code code_;
};

} // namespace sharedsock::command
