// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Wrong bytes in a segment's memory, for `sharedsock check` to tell and to mend.
#pragma once

#include "store/segment_file.hpp"
#include "tables/table_view.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace test::command {

/// A segment's memory, to write wrong bytes into.
class memory_of {
public:
    memory_of(const std::string& name, const std::string& directory);

    sharedsock::detail::table_view bytes;

private:
    std::unique_ptr<sharedsock::detail::segment_file> file_;
};

struct seeded_damage {
    std::string told; // the words of the check for it
    std::function<void(sharedsock::detail::table_view&)> sow;
};

/// For a busy_stage.
const std::vector<seeded_damage>& damages();

} // namespace test::command
