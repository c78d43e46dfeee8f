#!/bin/sh
# Builds for release and compares the ways to share a port among workers, in about fifteen minutes: bench/accept.sh --help
# BUILD is the build directory, build/bench of the project if not set.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$source/build/bench}
cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DSHAREDSOCK_BUILD_BENCH=ON -DSHAREDSOCK_BUILD_TESTS=OFF \
    -DSHAREDSOCK_BUILD_EXAMPLES=ON -DSHAREDSOCK_BUILD_COMMAND=OFF >/dev/null
cmake --build "$build" --target accept_bench >&2
exec "$build/bench/accept_bench" "$@"
