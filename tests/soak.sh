#!/usr/bin/env bash
# tests/soak.sh MINUTES [--seed N] [--preset NAME]: builds the soak and runs it for so long; progress every minute, a summary at the
# end. A finding ends it and names the seed; --seed makes a run like that one.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:?usage: tests/soak.sh MINUTES [--seed N] [--preset NAME]}
shift
preset=dev
while [ $# -gt 0 ]; do
    case "$1" in
        --seed) export SHAREDSOCK_SOAK_SEED=${2:?--seed needs a number}; shift ;;
        --preset) preset=${2:?--preset needs a name}; shift ;;
        *) printf 'unknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done

cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" -j "$(nproc)" --target soak_tests
SHAREDSOCK_SOAK_SECONDS=$((minutes * 60)) "build/$preset/tests/soak_tests"
