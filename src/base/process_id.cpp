// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/process_id.hpp>

#include <string>

namespace sharedsock {

std::string to_string(process_id who) { return who ? std::to_string(who.index) + '.' + std::to_string(who.generation) : "nobody"; }

} // namespace sharedsock
