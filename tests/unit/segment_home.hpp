// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The place where the tests of a segment's files make them.
#pragma once

#include "store/segment_directory.hpp"
#include "store/segment_file.hpp"
#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace test {

using namespace sharedsock::detail;
using sharedsock::error_code;
using sharedsock::segment_options;

inline segment_options small(const std::filesystem::path& directory)
{
    segment_options options;
    options.sockets   = 1'000;
    options.processes = 300;
    options.directory = directory;
    return options;
}

/// A place of its own for segments, and the tools to damage their files by hand.
struct segment_home {
    scratch_directory scratch;
    segment_options options = small(scratch.path());
    error_code ec;

    std::filesystem::path entry(const std::string& name) const { return scratch.path() / (entry_prefix() + name); }
    std::filesystem::path memory(const std::string& name) const { return entry(name) / "memory"; }

    std::unique_ptr<segment_file> create(const std::string& name)
    {
        auto file = segment_file::create(name, options, ec);
        REQUIRE(ec == error_code());
        return file;
    }

    error_code open_error(const std::string& name)
    {
        const auto file = segment_file::open(name, options, ec);
        CHECK((file == nullptr) == ec.failed());
        return ec;
    }

    std::vector<std::string> contents() const // hidden names as well
    {
        std::vector<std::string> names;
        for (const auto& each : std::filesystem::directory_iterator(scratch.path())) {
            names.push_back(each.path().filename());
        }
        return names;
    }

    template <typename Value>
    void overwrite(const std::string& name, std::size_t offset, const Value& value) const
    {
        std::fstream file(memory(name), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset));
        file.write(reinterpret_cast<const char*>(&value), sizeof value);
        REQUIRE(file.good());
    }

    void age(const std::string& name) const // as if it had been made before the last boot
    {
        overwrite(name, offsetof(segment_header, boot_id), std::uint64_t{0x0123'4567'89ab'cdef});
    }
};

} // namespace test
