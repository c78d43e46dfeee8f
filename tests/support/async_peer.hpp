// A process of the conformance matrix whose events come to a handler on an executor.
#pragma once

#include "support/child_process.hpp"
#include "support/share.hpp"

#include <string>
#include <string_view>

namespace test {

/// A child process that is attached to a segment and owns events by `async_select`, on an io_context that a thread of its own
/// runs. Commands and answers are as those of `peer`; the names of handles too.
///
///     dial H PORT   open H   connect H PORT   listener H   accept L H   redeem H TICKET   duplicate H PID   close H
///     receive H SIZE   send H TEXT   option_error H   query H   enum H   cancel H
///
///     async_select H MASK [tell]                 MASK: read|write|... or a number
///     async_stand_by H MASK
///     async_select_without executor|handler H    the two calls that ASYNC-7 refuses
///     receive_in_handler SIZE                    from now on each READ is answered so, and the bytes are put behind it
///     select_in_handler MASK                     the next handler call registers its own socket anew, for this mask
///     next MS                                    the next message that a handler got, or "quiet" when none came so long:
///                                                "H read", "H connect=connection_refused", "H lost"
///     hold                                       the next handler call does not return before "go"
///     entered                                    returns when it is inside
///     go
///     pause   resume                             the executor stands still in between
///     stop    restart                            io_context::stop and its undoing; the thread ends, and another one runs
///     run_alone H MASK                           registers on an io_context that has nothing else to do: whether run returns
///     orderly                                    "yes" if every handler ran on the executor's thread, one at a time
///     pid   self                                 and the commands of network_verbs.hpp
class async_peer {
public:
    explicit async_peer(const std::string& segment_name) : process_("async peer", {segment_name}) { process_.wait_for("ready"); }

    std::string ask(std::string_view command) { return process_.ask(command); }

    child_process& process() noexcept { return process_; }
    std::string pid() const { return std::to_string(process_.pid()); }

private:
    child_process process_;
};

} // namespace test
