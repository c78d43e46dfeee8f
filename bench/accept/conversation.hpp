// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "accept/counters.hpp"

#include <memory>

namespace accept_bench {

/// The protocol on the connections of one worker.
class conversation {
public:
    virtual ~conversation() = default;
    virtual void begin(int /*connection*/) {}
    /// The connection is readable: one read, and an answer if the request is whole. False: the connection ends.
    virtual bool serve(int connection, worker_counters& counters) = 0;
    virtual void end(int /*connection*/) {} ///< before it is closed
};

std::unique_ptr<conversation> make_minimal_http();
std::unique_ptr<conversation> make_beast_http(); ///< the work of examples/prefork_http for each request

} // namespace accept_bench
