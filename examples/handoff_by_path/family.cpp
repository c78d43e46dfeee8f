// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "family.hpp"

#include "server.hpp"

#include <csignal>
#include <iostream>
#include <system_error>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handoff {

namespace ss = sharedsock;

namespace {

// Blocked until a child can deal with them, and for the parent to wait for.
void block_signals_to_end()
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    ::sigprocmask(SIG_BLOCK, &ours, nullptr);
}

} // namespace

family::family(const options& wanted)
    : with_carry_(wanted.with_carry),
      segment_(wanted.segment.empty() ? play::name_of("handoff_by_path") : wanted.segment, {.sockets = 65'536})
{
    block_signals_to_end();
    start(place::a); // these two before there is a listener: they have none
    start(place::b);
    listener_ = ss::shared_socket::listen(segment_.here, ss::socket_address::loopback(wanted.port));
    start(place::front);
}

family::~family() { stop(); }

void family::start(place which)
{
    const pid_t pid = ::fork(); // the library makes the child a member of the segment when fork returns
    if (pid == 0) be(which);
    if (pid < 0) throw std::system_error(errno, std::system_category(), "fork");
    who_[which] = pid;
    children_.push_back(pid);
}

void family::be(place which)
{
    try {
        const pid_t parent = ::getppid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1); // the parent is gone already
        {
            server mine(segment_.here, who_, which, with_carry_);
            if (which == place::front) mine.accept_from(listener_);
            mine.run();
        }
        listener_     = {}; // handles that the child got by fork end in order as well
        segment_.here = {};
        ::_exit(0);
    } catch (const std::exception& failure) {
        std::cerr << "process " << ::getpid() << ": " << failure.what() << std::endl;
        ::_exit(1);
    }
}

bool family::stop()
{
    bool well = true;
    for (const pid_t child : children_)
        ::kill(child, SIGTERM);
    for (const pid_t child : children_) {
        int status = 0;
        well       = ::waitpid(child, &status, 0) == child && status == 0 && well;
    }
    children_.clear();
    return well;
}

} // namespace handoff
