// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Gives a target every input of the files and directories that are named on the command line; no fuzzer needed.
#include "fuzz/target.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

std::size_t replay(const std::filesystem::path& path)
{
    if (std::filesystem::is_directory(path)) {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            count += replay(entry.path());
        return count;
    }
    std::ifstream file(path, std::ios::binary);
    fuzz::require(file.good(), "the input can be read");
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::printf("%s\n", path.c_str());
    std::fflush(stdout); // the last one named is the one at which the target ended
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return 1;
}

} // namespace

int main(int count, char** paths)
{
    std::size_t inputs = 0;
    for (int i = 1; i < count; ++i)
        inputs += replay(paths[i]);
    fuzz::require(inputs != 0, "there are inputs");
    std::printf("%zu inputs\n", inputs);
    return 0;
}
