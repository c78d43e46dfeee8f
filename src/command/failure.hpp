// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <stdexcept>
#include <string>

namespace sharedsock::command {

/// What the program ends with. Part of its interface: `sharedsock --help` tells them.
enum class exit_code {
    ok         = 0,
    negative   = 1, ///< the answer is no: found nothing, found damage, or it is in use
    usage      = 2,
    unreadable = 3, ///< there is something, but it cannot be read or changed
};

/// Why a verb gives up, in one sentence that says what to do.
class failure : public std::runtime_error {
public:
    failure(exit_code code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

    exit_code code() const noexcept { return code_; }

private:
    exit_code code_;
};

} // namespace sharedsock::command
