// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hot_restart {

/// Clients that send lines in two pieces all the time, and check that each answer is the one that is due: no line is lost or
/// doubled. A client whose connection ends connects again.
class line_clients {
public:
    line_clients(std::size_t count, std::uint16_t port);
    ~line_clients();
    line_clients(const line_clients&) = delete;

    /// Lets them talk for a moment, or until the other descriptor is readable: then the result is true.
    bool talk(int other);
    /// Whether each is connected and has had an answer since it connected.
    bool all_talk() const;

    std::uint64_t answers() const noexcept { return answers_; }
    std::uint64_t disconnects() const noexcept { return disconnects_; }

private:
    struct client {
        int descriptor     = -1;
        std::uint64_t line = 0; // the last one that was begun
        bool in_the_middle = false;
        std::string received;
        bool has_answer = false;
    };

    void connect(client& one) const;
    void send(client& one, const std::string& piece);
    void receive(client& one);
    void begin_line(client& one);
    void end_line(client& one);

    std::uint16_t port_;
    std::vector<client> all_;
    std::uint64_t answers_     = 0;
    std::uint64_t disconnects_ = 0;
};

} // namespace hot_restart
