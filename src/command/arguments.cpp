// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/arguments.hpp"

#include "command/failure.hpp"
#include "store/file_access.hpp"
#include "store/segment_directory.hpp"

#include <charconv>
#include <system_error>

#include <sys/stat.h>

namespace sharedsock::command {
namespace {

// "--name" or "--name=value".
struct option {
    std::string name;
    std::optional<std::string> value;

    explicit option(const std::string& word) : name(word.substr(0, word.find('=')))
    {
        if (name.size() < word.size()) {
            value = word.substr(name.size() + 1);
        }
    }
};

[[noreturn]] void misuse(const std::string& sentence) { throw failure(exit_code::usage, sentence + "; see 'sharedsock --help'"); }

} // namespace

segment_options arguments::options() const
{
    segment_options result;
    result.directory = directory;
    result.owner     = owner;
    return result;
}

segment_options arguments::options(const std::string& name) const
{
    segment_options result = options();
    struct stat found;
    const auto whose = detail::file_access::of(result);
    if (::lstat((directory + '/' + detail::entry_prefix(whose.owner) + name).c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
        (found.st_mode & S_IRWXG) != 0) {
        result.group = found.st_gid;
    }
    return result;
}

arguments parse(const std::vector<std::string>& words)
{
    arguments result;
    bool& help           = result.help;
    auto next            = words.begin();
    const auto switch_on = [](const option& given, bool& flag) {
        if (given.value) {
            misuse("option '" + given.name + "' takes no value");
        }
        flag = true;
    };
    const auto value_of = [&](const option& given) {
        if (given.value) {
            return *given.value;
        }
        if (next == words.end()) {
            misuse("option '" + given.name + "' needs a value");
        }
        return *next++;
    };

    while (next != words.end()) {
        const std::string& word = *next++;
        if (word == "--") {
            result.words.insert(result.words.end(), next, words.end());
            break;
        }
        if (word == "-h") {
            help = true;
            continue;
        }
        if (!word.starts_with("-")) {
            result.words.push_back(word);
            continue;
        }
        const option given(word);
        result.flags.push_back(given.name);
        if (given.name == "--directory") {
            result.directory = value_of(given);
        } else if (given.name == "--owner") {
            const std::string uid    = value_of(given);
            const char* const end    = uid.data() + uid.size();
            std::uint32_t number     = 0;
            const auto [stop, wrong] = std::from_chars(uid.data(), end, number);
            if (wrong != std::errc() || stop != end) {
                misuse("'" + uid + "' is no user's number");
            }
            result.owner = number;
        } else if (given.name == "--segment") {
            result.segment = value_of(given);
        } else if (given.name == "--all") {
            switch_on(given, result.all);
        } else if (given.name == "--force") {
            switch_on(given, result.force);
        } else if (given.name == "--help") {
            switch_on(given, help);
        } else if (given.name == "--json") {
            switch_on(given, result.json);
        } else if (given.name == "--repair") {
            switch_on(given, result.repair);
        } else if (given.name == "--version") {
            switch_on(given, result.version);
        } else {
            misuse("unknown option '" + given.name + "'");
        }
    }
    return result;
}

} // namespace sharedsock::command
