// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// Start, watch, replace and balance worker processes. Only `appear_in` needs a segment; sockets do not need workers.
#include <sharedsock/prefork/options.hpp>
#include <sharedsock/prefork/status.hpp>
#include <sharedsock/prefork/supervisor.hpp>
#include <sharedsock/prefork/worker.hpp>
