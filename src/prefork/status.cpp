// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/prefork/status.hpp>

#include <string>

namespace sharedsock::prefork {

const char* to_string(worker_state state) noexcept
{
    switch (state) {
    case worker_state::vacant:
        return "vacant";
    case worker_state::starting:
        return "starting";
    case worker_state::ready:
        return "ready";
    case worker_state::draining:
        return "draining";
    case worker_state::terminating:
        return "terminating";
    case worker_state::killed:
        return "killed";
    case worker_state::backing_off:
        return "backing off";
    case worker_state::ended:
        return "ended";
    case worker_state::stopped:
        return "stopped";
    }
    return "unknown";
}

std::string to_string(const exit_status& how)
{
    if (!how.known) return "ended, but its exit status is not known";
    if (how.signal != 0) return "was killed by signal " + std::to_string(how.signal);
    return "ended with " + std::to_string(how.code);
}

} // namespace sharedsock::prefork
