// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/json_writer.hpp"
#include "command/program.hpp"
#include "command/verb.hpp"

#include <algorithm>
#include <exception>
#include <iostream>
#include <sstream>
#include <vector>

namespace sharedsock::command {
namespace {

void tell(const failure& why, bool json)
{
    remark(why.what());
    if (json) {
        json_writer(std::cout).object([&](json_writer& document) {
            document.field("error", why.what());
            document.field("exit_code", static_cast<int>(why.code()));
        });
    }
}

exit_code run(const std::vector<std::string>& words)
{
    const bool json = std::find(words.begin(), words.end(), "--json") != words.end(); // asked before the words are understood
    try {
        std::ostringstream text; // all of it or nothing
        const exit_code code = answer(parse(words), text);
        std::cout << text.str() << std::flush;
        if (!std::cout) {
            throw failure(exit_code::unreadable, "the answer could not be written; look at where standard output leads");
        }
        return code;
    } catch (const failure& why) {
        tell(why, json);
        return why.code();
    } catch (const std::exception& unexpected) {
        tell(failure(exit_code::unreadable, unexpected.what()), json);
        return exit_code::unreadable;
    }
}

} // namespace
} // namespace sharedsock::command

int main(int count, char** words)
{
    return static_cast<int>(sharedsock::command::run({words + std::min(count, 1), words + count}));
}
