// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/child_process.hpp"
#include "support/plain_socket.hpp"
#include "support/role.hpp"
#include "support/unique_name.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

namespace test {

/// The commands of a generation, which the role `generation` answers.
role_context::handlers generation_verbs(const std::string& name, const std::string& directory);

/// The generations of one service of the test, in a directory of its own.
class service_under_test {
public:
    child_process start() const { return child_process("generation", {"web", directory_.path()}); }

    /// The first generation, which serves. Its listener is "http".
    child_process start_first(const std::string& options = "")
    {
        child_process first = start();
        if (const std::string said = first.ask("join " + options); said != "first") throw child_error(said);
        port_ = static_cast<std::uint16_t>(std::stoi(first.ask("listen http")));
        first.ask("ready");
        return first;
    }
    /// A successor that has its listener and is not ready.
    child_process start_next(child_process& predecessor, const std::string& options = "") const
    {
        child_process next = start();
        next.tell("join " + options);
        if (const std::string said = predecessor.ask("next"); said != "successor_joined") throw child_error(said);
        if (const std::string said = next.line(); !said.starts_with("successor of")) throw child_error(said);
        next.ask("listen http");
        return next;
    }
    /// Both are in the middle of the upgrade.
    void begin(child_process& predecessor, child_process& next) const
    {
        next.ask("ready");
        if (const std::string said = predecessor.ask("next"); said != "successor_ready") throw child_error(said);
    }
    /// A client, and the number of its connection in the server.
    plain_socket connect(child_process& server, std::string& number) const
    {
        plain_socket client = plain_socket::connect(port_);
        number              = server.ask("accept");
        return client;
    }

    std::uint16_t port() const noexcept { return port_; }
    std::string directory() const { return directory_.path(); }
    std::string place() const { return directory() + "/sharedsock-restart." + std::to_string(::geteuid()) + ".web"; }
    std::size_t files() const
    {
        std::size_t count = 0;
        for (const auto& one : std::filesystem::recursive_directory_iterator(directory_.path()))
            count += one.path().string().size() > 0;
        return count;
    }

private:
    scratch_directory directory_;
    std::uint16_t port_ = 0;
};

} // namespace test
