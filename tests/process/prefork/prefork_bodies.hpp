// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Functions of forked workers.
#pragma once

#include <sharedsock/prefork.hpp>

#include <cerrno>
#include <csignal>

#include <sys/types.h>
#include <unistd.h>

namespace test {

inline bool is_gone(pid_t process) { return ::kill(process, 0) != 0 && errno == ESRCH; }

inline int obeys(sharedsock::prefork::worker& self)
{
    self.ready();
    self.wait_for_drain();
    return 0;
}

inline int is_deaf(sharedsock::prefork::worker& self)
{
    self.ready();
    for (;;)
        ::pause();
}

} // namespace test
