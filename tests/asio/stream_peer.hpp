// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// A process with one stream (or acceptor) of Asio's kind, under the commands of a test.
#pragma once

#include "support/child_process.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <boost/asio/use_future.hpp>

#include <string>
#include <string_view>

#include <sys/wait.h>

namespace test {

/// Its context runs in a thread of its own. Operations have names: one command starts one, `end_of NAME` tells how it ended:
/// the bytes in quotes, "ok", or the error. `still_pending NAME`: whether it has not ended within 150 ms.
///
///     read NAME   write NAME TEXT   stand_by NAME   accept NAME
///     take_over   pass_on   owns   query   cancel_registration   select_instead   close
///     busy   free       the context stands still in between
///     in_fork_read      the result of a forked child's first read of the inherited stream
class stream_peer {
public:
    stream_peer(const std::string& segment, const sharedsock::shared_socket& socket, const char* as = "redeem")
        : process_("stream_peer", {segment})
    {
        process_.wait_for("ready");
        answer(std::string(as) + ' ' + socket.duplicate_for_pid(process_.pid()).to_text());
    }
    std::string answer(std::string_view command) { return process_.ask(command); }
    child_process& process() noexcept { return process_; }

private:
    child_process process_;
};

} // namespace test
