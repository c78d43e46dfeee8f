#!/bin/sh
# Builds for release and runs all benchmarks, in about two minutes: bench/run.sh [--json FILE] [--only TEXT] [--profile] ...
# BUILD is the build directory, build/bench of the project if not set.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$source/build/bench}
cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DSHAREDSOCK_BUILD_BENCH=ON -DSHAREDSOCK_BUILD_TESTS=OFF \
    -DSHAREDSOCK_BUILD_EXAMPLES=OFF -DSHAREDSOCK_BUILD_COMMAND=OFF >/dev/null
cmake --build "$build" --target sharedsock_bench >&2
exec "$build/bench/sharedsock_bench" "$@"
