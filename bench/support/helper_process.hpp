// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "support/sockets.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <stdexcept>
#include <type_traits>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// Values between two processes, over a stream socket.
class channel {
public:
    explicit channel(unique_fd end) : end_(std::move(end)) {}

    template <class Value>
    void put(const Value& value)
    {
        static_assert(std::is_trivially_copyable_v<Value>);
        if (::send(end_.get(), &value, sizeof value, MSG_NOSIGNAL) != sizeof value) throw std::runtime_error("the helper has gone");
    }

    /// False at the end.
    template <class Value>
    bool get(Value& value)
    {
        static_assert(std::is_trivially_copyable_v<Value>);
        return ::recv(end_.get(), &value, sizeof value, MSG_WAITALL) == sizeof value;
    }

    template <class Value>
    Value get()
    {
        Value value{};
        if (!get(value)) throw std::runtime_error("the helper has gone");
        return value;
    }

private:
    unique_fd end_;
};

/// The other process of a scenario: a fork of this one that runs `work(channel&)` until the channel ends, and leaves without
/// destructors: the other processes find its records dead. It inherits the attachments and handles there are (DUP-17).
class helper_process {
public:
    template <class Work>
    explicit helper_process(Work work) : helper_process(unix_pair(), work)
    {}
    ~helper_process() { end(); }
    helper_process(const helper_process&)            = delete;
    helper_process& operator=(const helper_process&) = delete;

    channel& talk() noexcept { return talk_; }

    /// Sends a command and waits until it is done.
    void ask(char command)
    {
        talk_.put(command);
        talk_.get<char>();
    }

    void signal(int number) noexcept
    {
        if (pid_ > 0) ::kill(pid_, number);
    }

    /// Kills and reaps it.
    void end() noexcept
    {
        signal(SIGKILL);
        if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    template <class Work>
    helper_process(pair_of_sockets ends, Work& work) : talk_(std::move(ends.near))
    {
        pid_ = checked(::fork(), "fork");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        talk_ = channel(unique_fd());
        channel mine(std::move(ends.far));
        try {
            work(mine);
        } catch (const std::exception& failed) {
            std::fprintf(stderr, "helper: %s\n", failed.what());
        }
        ::_exit(0);
    }

    channel talk_;
    pid_t pid_ = -1;
};

} // namespace bench
