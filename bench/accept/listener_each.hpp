// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/scheme.hpp"

#include <vector>

#include <unistd.h>

namespace accept_bench {

/// A listener for each worker, all on one port (SO_REUSEPORT).
class listener_each : public scheme {
public:
    ~listener_each() override { close_all(); }
    std::uint16_t prepare(unsigned workers) override
    {
        listeners_.push_back(listen_somewhere(true));
        const std::uint16_t port = port_of(listeners_.front());
        while (listeners_.size() < workers)
            listeners_.push_back(listen_somewhere(true, port));
        return port;
    }
    std::vector<pid_t> helpers() override // the parent's copies would take connections that no process accepts
    {
        close_all();
        return {};
    }

protected:
    /// In a worker: its own; the others' are closed.
    int take(unsigned worker)
    {
        const int own = listeners_.at(worker);
        listeners_.erase(listeners_.begin() + worker);
        close_all();
        return own;
    }

private:
    void close_all()
    {
        for (const int one : listeners_)
            ::close(one);
        listeners_.clear();
    }
    std::vector<int> listeners_;
};

} // namespace accept_bench
