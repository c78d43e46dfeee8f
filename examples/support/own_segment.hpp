// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/segment.hpp>

#include <string>
#include <utility>

#include <unistd.h>

namespace play {

/// A segment that goes with this object, in the process that made it, also if handles to its sockets are left.
class own_segment {
public:
    /// @param name  a segment of this name that a killed run has left goes first. Throws if a process uses it.
    explicit own_segment(std::string name, sharedsock::segment_options how = {})
        : name_(std::move(name)), how_(std::move(how)), owner_(::getpid())
    {
        sharedsock::segment::remove(name_, how_);
        here = sharedsock::segment::create(name_, how_);
    }
    /// One that another process has made. It goes with this object if no other process is attached then.
    own_segment(sharedsock::segment opened, std::string name, sharedsock::segment_options how)
        : here(std::move(opened)), name_(std::move(name)), how_(std::move(how)), owner_(::getpid()), others_keep_it_(true)
    {}
    ~own_segment()
    {
        here = {};
        if (::getpid() != owner_) return;
        sharedsock::error_code ignored; // `sharedsock list` shows a segment that is left
        sharedsock::segment::remove(name_, how_, !others_keep_it_, ignored);
    }
    own_segment(const own_segment&)            = delete;
    own_segment& operator=(const own_segment&) = delete;

    /// Whether it stays if other processes are attached at the end of this object.
    void let_others_keep_it(bool they_do) noexcept { others_keep_it_ = they_do; }

    sharedsock::segment here;

private:
    const std::string name_;
    const sharedsock::segment_options how_;
    const pid_t owner_;
    bool others_keep_it_ = false;
};

/// `program` with this process's pid: a name that no other process has.
inline std::string name_of(const std::string& program) { return program + '.' + std::to_string(::getpid()); }

} // namespace play
