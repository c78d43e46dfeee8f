// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/verb.hpp"

#include <ostream>
#include <string>

namespace sharedsock::command {

exit_code rm(const arguments& given, std::ostream& out)
{
    const std::string& name = given.operand();
    error_code ec;
    const bool removed = segment::remove(name, given.options(name), given.force, ec);
    if (ec == errc::segment_in_use) {
        throw failure(exit_code::negative, "segment '" + printable(name) + "' is in use; 'sharedsock show " + printable(name) +
                                               "' lists its processes: end them, or use --force");
    }
    if (ec == errc::bad_segment_name) {
        throw cannot_open(name, given, ec);
    }
    if (ec) {
        throw failure(exit_code::unreadable, "segment '" + printable(name) + "' cannot be removed: " + ec.message());
    }
    if (!removed) {
        throw cannot_open(name, given, errc::segment_not_found);
    }
    if (given.json) {
        json_writer(out).object([&](json_writer& document) { document.field("removed", name); });
    } else {
        out << "removed segment " << printable(name) << '\n';
    }
    return exit_code::ok;
}

} // namespace sharedsock::command
