// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The words of a command to a peer.
#pragma once

#include <charconv>
#include <istream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace test {

/// A mistake of the test itself, not of the code that it tests.
[[noreturn]] inline void misuse(const std::string& what) { throw std::invalid_argument("misuse: " + what); }

/// A line, word by word. `what` says which word is missing.
class words {
public:
    explicit words(const std::string& line) : stream_(line) {}

    std::string next(const char* what)
    {
        std::string word;
        if (!(stream_ >> word)) misuse(std::string("no ") + what);
        return word;
    }
    std::optional<std::string> maybe()
    {
        std::string word;
        return stream_ >> word ? std::optional(word) : std::nullopt;
    }
    template <class Number = int>
    Number number(const char* what)
    {
        return to_number<Number>(next(what));
    }
    std::string rest()
    {
        std::string text;
        std::getline(stream_ >> std::ws, text);
        return text;
    }

    template <class Number>
    static Number to_number(const std::string& word)
    {
        Number value{};
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc() || end != word.data() + word.size()) misuse("'" + word + "' is not a number");
        return value;
    }

private:
    std::istringstream stream_;
};

template <class Value>
Value look_up(const std::map<std::string, Value>& table, const std::string& word)
{
    const auto found = table.find(word);
    if (found == table.end()) misuse("unknown word '" + word + "'");
    return found->second;
}

inline std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

} // namespace test
