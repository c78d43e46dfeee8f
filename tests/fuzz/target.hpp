// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <unistd.h>

/// Every target defines it: takes `data` as input from outside. libFuzzer calls it with inputs that it makes up, replay.cpp
/// with those of the corpus. Always 0; a violated requirement ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the process, for the fuzzer to notice, if `true_thing` is false.
inline void require(bool true_thing, const char* what)
{
    if (true_thing) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

/// A private directory in shared memory for this run; removed at its orderly end (not after a finding).
class directory {
public:
    directory()
    {
        std::string name = "/dev/shm/sharedsock-fuzz-XXXXXX";
        require(::mkdtemp(name.data()) != nullptr, "a directory in /dev/shm can be made");
        path_ = name;
    }
    ~directory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    directory(const directory&)            = delete;
    directory& operator=(const directory&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// Takes an input apart from its front; zeros when it is used up.
class reader {
public:
    reader(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    std::size_t left() const noexcept { return left_; }
    const std::uint8_t* rest() const noexcept { return data_; }
    std::uint8_t byte() noexcept
    {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    std::uint32_t number() noexcept // little-endian
    {
        std::uint32_t value = 0;
        for (int shift = 0; shift < 32; shift += 8)
            value |= std::uint32_t{byte()} << shift;
        return value;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

} // namespace fuzz
