// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/leftovers.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace fs = std::filesystem;

namespace test {

namespace {

// The process in the name of a segment or directory of a test; 0 in any other name.
pid_t maker_of(std::string_view name)
{
    const std::string segment = "sharedsock." + std::to_string(::geteuid()) + ".test-";
    for (const std::string_view start : {std::string_view(segment), std::string_view("sharedsock-test-")}) {
        if (name.substr(0, start.size()) != start) continue;
        const std::string_view rest = name.substr(start.size());
        pid_t maker                 = 0;
        const auto read             = std::from_chars(rest.data(), rest.data() + rest.size(), maker);
        if (read.ec == std::errc() && read.ptr != rest.data() + rest.size() && *read.ptr == '-') return maker;
    }
    return 0;
}

template <class Predicate>
void remove_all_of(Predicate is_one)
{
    std::vector<fs::path> left;
    std::error_code ignored; // a leftover must not hide why a test failed
    for (const auto& entry : fs::directory_iterator("/dev/shm", ignored))
        if (const pid_t maker = maker_of(entry.path().filename().string()); maker > 0 && is_one(maker))
            left.push_back(entry.path());
    for (const auto& path : left)
        fs::remove_all(path, ignored);
}

} // namespace

void remove_leftovers_of(pid_t process)
{
    remove_all_of([&](pid_t maker) { return maker == process; });
}

void remove_leftovers_of_the_dead()
{
    remove_all_of([](pid_t maker) { return ::kill(maker, 0) != 0 && errno == ESRCH; });
}

} // namespace test
