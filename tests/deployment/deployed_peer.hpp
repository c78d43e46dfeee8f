// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// A peer as servers have them: it may be another user than the test, and may change its credentials.
#pragma once

#include "support/child_process.hpp"
#include "support/skip.hpp"

#include <sharedsock/segment.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <unistd.h>

namespace test {

inline constexpr unsigned nobody  = 65534; // users and groups that need no entry in a file
inline constexpr unsigned another = 65533;
inline constexpr unsigned www     = 65532;

/// Skips the running test case if this process is not root, which alone can become another user. The caller returns.
inline bool skipped_without_root()
{
    if (::geteuid() == 0) return false;
    skip("only root can become another user");
    return true;
}

/// As `peer`, with these commands beside:
///
///     become UID [GID...]      setgroups, setgid to the first (UID if there is none) and setuid: for good, as servers do
///     effective UID            seteuid: the effective user alone
///     drop_capabilities        all of them
///     enter_user_namespace     without a map: the user has no number there
///     dumpable                 prctl(2): others of its user may trace it again
///
/// Before it attaches, the peer becomes a user with groups, or enters a user namespace in which its user has the same number.
class deployed_peer {
public:
    explicit deployed_peer(const std::string& segment, const sharedsock::segment_options& options = {},
                           std::initializer_list<unsigned> user_and_groups = {})
        : deployed_peer(segment, options, text_of(user_and_groups))
    {}
    static deployed_peer in_user_namespace(const std::string& segment) { return {segment, {}, "in a user namespace"}; }

    /// "ready", or the text of the exception that `segment::open` has thrown.
    const std::string& answer() const noexcept { return answer_; }
    std::string ask(std::string_view command) { return process_.ask(command); }
    std::string pid() const { return std::to_string(process_.pid()); }
    child_process& process() noexcept { return process_; }

private:
    deployed_peer(const std::string& segment, const sharedsock::segment_options& options, const std::string& credentials)
        : process_("deployed peer", {segment, options.directory, word(options.owner), word(options.group), credentials}),
          answer_(process_.line())
    {}
    static std::string word(const std::optional<std::uint32_t>& id) { return id ? std::to_string(*id) : "-"; }
    static std::string text_of(std::initializer_list<unsigned> numbers)
    {
        std::string text;
        for (const unsigned one : numbers)
            text += std::to_string(one) + " ";
        return text;
    }

    child_process process_;
    std::string answer_;
};

} // namespace test
