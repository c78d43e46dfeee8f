// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/opening.hpp"

#include "audit/wording.hpp"
#include "store/segment_file.hpp"

namespace sharedsock::command {

condition condition_of(const error_code& ec)
{
    if (ec == errc::stale_segment) {
        return {"stale boot", "left over from before the last boot"};
    }
    if (ec == errc::other_layout) {
        return {"other layout", "another version of sharedsock made it"};
    }
    if (ec == errc::other_byte_order) {
        return {"other layout", "made on a machine of another byte order"};
    }
    if (ec == errc::truncated_segment) {
        return {"damaged", "its memory is shorter than its header promises"};
    }
    if (ec == errc::not_a_segment) {
        return {"damaged", "its memory is missing, or no segment's"};
    }
    if (ec == errc::segment_damaged) {
        return {"damaged", "its header contradicts itself"};
    }
    if (ec == errc::foreign_segment) {
        return {"unreadable", "its files belong to another user, or others may use them"};
    }
    if (ec == errc::access_denied) {
        return {"unreadable", "it is not open to this user"};
    }
    if (ec == errc::paths_lost) {
        return {"damaged", "some of its files were deleted"};
    }
    return {"unreadable", ec.message()};
}

failure cannot_open(const std::string& name, const arguments& given, const error_code& ec)
{
    const std::string which = "segment '" + printable(name) + "'";
    if (ec == errc::segment_not_found) {
        return {exit_code::negative, "there is no " + which + " " + whose(given) + " below " + given.directory +
                                         "; 'sharedsock list' shows those there are"};
    }
    if (ec == errc::bad_segment_name) {
        const bool unnamed = name.starts_with('@');
        return {exit_code::usage,
                unnamed ? which + " has no name, so only its members know its memory; list and rm take it"
                        : "'" + printable(name) + "' is no name of a segment; 'sharedsock list' shows those there are"};
    }
    return {exit_code::unreadable, which + " cannot be opened: " + ec.message()};
}

std::string whose(const arguments& given) { return given.owner ? "of user " + std::to_string(*given.owner) : "of yours"; }

std::vector<std::string> segment_names(const arguments& given)
{
    error_code ec;
    auto names = detail::segment_file::list(given.options(), ec);
    if (ec) {
        throw failure(exit_code::unreadable,
                      "the directory '" + given.directory + "' cannot be read (" + ec.message() + "); give another by --directory");
    }
    return names;
}

} // namespace sharedsock::command
