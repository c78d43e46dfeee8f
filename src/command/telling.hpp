// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "command/description.hpp"
#include "command/json_writer.hpp"

#include <string>

namespace sharedsock::command {

// The common part of `show` and `who`: a socket and the processes around it, in words.

std::string name_of(const description& state, process_id who); ///< "worker pid 4712 (1.1)"; for people
std::string local_of(const socket_description& socket);        ///< "127.0.0.1:80", or "?"

/// The members of a socket's JSON object; `document` is inside of it.
void tell(const socket_description& socket, const description& state, json_writer& document);

} // namespace sharedsock::command
