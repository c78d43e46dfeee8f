// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sharedsock::restart::detail {

using sharedsock::detail::unique_fd;

/// The descriptors that every generation of a service passes to the next, by name. This object has a duplicate of each. Decides;
/// makes no system call but close(2).
class listener_table {
public:
    struct entry {
        std::string name;
        std::vector<std::byte> asked; ///< the address that `listen` was asked for; empty: none
        unique_fd descriptor;
        bool claimed = false; ///< by this generation
    };

    void add(entry one)
    {
        remove(one.name);
        all_.push_back(std::move(one));
    }
    /// The one of this name; null if there is none, or if it was made for another address than `asked`: the configuration has
    /// changed.
    entry* find(std::string_view name, const std::vector<std::byte>& asked) noexcept
    {
        for (entry& one : all_)
            if (one.name == name && (one.asked.empty() || asked.empty() || one.asked == asked)) return &one;
        return nullptr;
    }
    void remove(std::string_view name) noexcept
    {
        std::erase_if(all_, [&](const entry& one) { return one.name == name; });
    }
    std::vector<std::string> unclaimed() const
    {
        std::vector<std::string> names;
        for (const entry& one : all_)
            if (!one.claimed) names.push_back(one.name);
        return names;
    }
    /// This generation serves: a client of a listener that no process accepts from would wait for ever.
    void drop_unclaimed() noexcept
    {
        std::erase_if(all_, [](const entry& one) { return !one.claimed; });
    }
    const std::vector<entry>& all() const noexcept { return all_; }

private:
    std::vector<entry> all_;
};

} // namespace sharedsock::restart::detail
