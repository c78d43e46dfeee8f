// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/peer_state.hpp"
#include "support/role.hpp"

#include <csignal>
#include <string>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

SHAREDSOCK_CHILD_ROLE("peer in a pid namespace of its own")
{
    int named[2];
    if (::unshare(CLONE_NEWPID) != 0 || ::pipe(named) != 0) {
        role.say("may not");
        return 0;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(named[1]);
        char none = 0;
        static_cast<void>(!::read(named[0], &none, 1)); // until its parent has said its pid
        ::close(named[0]);
        test::peer_state state(role.args.at(0));
        role.say("ready");
        ::_exit(role.serve(state.verbs()));
    }
    ::close(named[0]);
    role.say(std::to_string(child));
    ::close(named[1]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::_exit(0); // at once: LeakSanitizer could start no thread in the dead namespace
}
