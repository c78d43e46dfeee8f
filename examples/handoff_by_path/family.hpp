// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "../support/own_segment.hpp"
#include "directory.hpp"

#include <sharedsock/shared_socket.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace handoff {

struct options {
    std::uint16_t port = 8080; ///< of the loopback interface; 0: any that is free
    std::string segment;       ///< its name; empty: one with this process's pid in it
    bool with_carry = true;
};

/// The parent: makes the segment and the listener, and three processes: a front that accepts, and two that serve.
class family {
public:
    explicit family(const options& wanted);
    ~family(); ///< stops them
    family(const family&)            = delete;
    family& operator=(const family&) = delete;

    sharedsock::socket_address address() const { return listener_.local_address(); }
    directory& who() noexcept { return who_; }
    bool stop(); ///< asks all processes to end; whether they ended well

private:
    void start(place which);
    [[noreturn]] void be(place which);

    const bool with_carry_;
    directory who_;
    play::own_segment segment_;
    sharedsock::shared_socket listener_;
    std::vector<pid_t> children_;
};

} // namespace handoff
