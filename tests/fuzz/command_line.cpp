// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Any command line: the words of an input are its lines. The command always works on an empty directory.
#include "command/program.hpp"
#include "fuzz/target.hpp"

#include <sharedsock/error.hpp>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::directory directory;
    std::cerr.rdbuf(nullptr); // the command's remarks
    std::vector<std::string> words;
    std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
    for (std::string line; std::getline(lines, line);)
        words.push_back(line);
    try {
        sharedsock::command::arguments given = sharedsock::command::parse(words);
        given.directory                      = directory.path();
        std::ostringstream answer;
        sharedsock::command::answer(given, answer);
    } catch (const sharedsock::command::failure& reason) {
        fuzz::require(*reason.what() != 0, "a failure has a reason");
    }
    return 0;
}
