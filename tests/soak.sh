#!/usr/bin/env bash
# tests/soak.sh MINUTES [--ledger] [--seed N] [--preset NAME] [--without LIST] [--only LIST]
#
# Builds the soak and runs it for so long; progress every minute, a summary at the end. A finding ends it and names the seed;
# --seed makes a run like that one. --ledger runs the ledger instead: workers that know only the public API and that fork, execute,
# end, pass on and lose, in pid namespaces, without standard descriptors, with all closed (tests/soak/ledger_test.cpp). --without
# and --only leave scenarios of the ledger out, to find a cause: events, streams, forks, pending, standard, closed, namespaces; and parts
# of them: losses, pass_on, destroyed (event objects), clones, threads, giving, receiving, serving, inner (workers in pid namespaces),
# kills, stops. A run that leaves something out proves nothing of it.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:?usage: tests/soak.sh MINUTES [--ledger] [--seed N] [--preset NAME] [--without LIST] [--only LIST]}
shift
preset=dev
program=soak_tests
while [ $# -gt 0 ]; do
    case "$1" in
        --ledger) program=ledger_tests ;;
        --seed) export SHAREDSOCK_SOAK_SEED=${2:?--seed needs a number} SHAREDSOCK_LEDGER_SEED=$2; shift ;;
        --without) export SHAREDSOCK_LEDGER_WITHOUT=${2:?--without needs scenarios}; shift ;;
        --only) export SHAREDSOCK_LEDGER_ONLY=${2:?--only needs scenarios}; shift ;;
        --preset) preset=${2:?--preset needs a name}; shift ;;
        *) printf 'unknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done

cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" -j "$(nproc)" --target "$program"
SHAREDSOCK_SOAK_SECONDS=$((minutes * 60)) SHAREDSOCK_LEDGER_SECONDS=$((minutes * 60)) "build/$preset/tests/$program"
