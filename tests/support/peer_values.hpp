// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The values in a command to a peer and in its answer, as words.
#pragma once

#include "support/peer_words.hpp"

#include <sharedsock/network_event.hpp>
#include <sharedsock/socket_address.hpp>

#include <string>

namespace test {

/// "read|write|..." or a number.
sharedsock::network_event to_mask(const std::string& word);
std::string to_text(const sharedsock::network_events& events);

/// A port of 127.0.0.1, HOST:PORT, or a path for AF_UNIX.
sharedsock::socket_address to_address(const std::string& word, int family);

/// The MSG_ flags that the rest of a line names.
int to_flags(words& line);

struct option_name {
    int level;
    int name;
};
option_name to_option(const std::string& word);

} // namespace test
