// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/restart.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace hot_restart {

/// The mistake of this version of the program; for the test.
enum class flaw { none, crash, hang, refuse, decline, kills_predecessor };

struct setting {
    std::string program;      ///< to execute at an upgrade
    std::string directory;    ///< of the service
    std::string next_version; ///< a file with the arguments of the version that an upgrade starts
    flaw bad = flaw::none;
};

/// Answers each line with the number of lines that its connection has sent, across all generations. SIGUSR2: executes the next
/// version, which takes the listener and the connections. SIGTERM: ends.
class line_server {
public:
    explicit line_server(setting how);
    int run(); ///< the exit code

private:
    struct client {
        std::uint64_t lines = 0; // that were answered
        std::string unfinished;  // the beginning of a line
    };

    void on_signal();
    void on_event(sharedsock::restart::event& one);
    void accept_all();
    bool serve(int descriptor, client& state);
    void take_over(sharedsock::restart::connection from);
    void be_bad();
    void give_some();
    void start_next();

    setting how_;
    sharedsock::restart::generation service_;
    sharedsock::restart::descriptor listener_;
    sharedsock::restart::descriptor signals_;
    std::map<int, client> clients_;
    std::vector<int> to_give_;
    pid_t next_          = 0; // the successor that this process has started
    std::uint64_t taken_ = 0;
    std::uint64_t given_ = 0; // in this upgrade
    bool gives_          = false;
    bool has_finished_   = false;
    bool ends_           = false;
};

} // namespace hot_restart
