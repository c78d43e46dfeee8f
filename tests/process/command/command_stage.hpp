// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Common to the tests of the sharedsock program: a segment for it to look at, and its answers.
#pragma once

#include "support/child_process.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/segment.hpp>

#include <boost/property_tree/ptree.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace test::command {

/// Of the segments that the stage is set with.
sharedsock::segment_options options_of(const std::string& directory);

struct answer {
    int code = -1;
    std::string out;
    std::string err;

    /// Throws, and so fails the test, if it is not exactly one JSON document.
    boost::property_tree::ptree json() const;
};

/// The answer of a program, which is the first of the words; code 127 if there is none of that name.
answer run(std::vector<std::string> words);

/// One segment in a directory of its own, and the command looking at it.
class stage {
public:
    stage();

    const std::string& name() const { return name_; }
    std::string directory() const { return scratch_.path(); }
    std::filesystem::path files_of(const std::string& name) const;

    child_process attach() const;
    answer command(const std::vector<std::string>& words) const;

private:
    scratch_directory scratch_;
    std::string name_ = unique_name();
};

/// A stage with a listener that two processes hold: the first owns its events, the second stands by.
class busy_stage : public stage {
public:
    busy_stage();

    void kill_first();

    child_process first;
    child_process second;
    std::string port;
};

} // namespace test::command
