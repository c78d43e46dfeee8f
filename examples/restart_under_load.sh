#!/usr/bin/env bash
# examples/restart_under_load.sh [RESTARTS]: replaces all workers of prefork_http that often under wrk, 10 times if not given; first with
# a connection for each request, then with connections that are kept alive. It needs wrk and curl (demo.sh installs them) and a built
# tree. It ends with 0 only if no request failed.
# shellcheck disable=SC2317 # `check` and `await` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
restarts=${1:-10}
segment="restart.$$"
# shellcheck source=examples/support/server_under_load.sh
. examples/support/server_under_load.sh

started() { grep -c ' starts$' "$scratch/server.txt" || true; }
ended() { grep -c ' ended with 0$' "$scratch/server.txt" || true; } # 0: grep fails
has_restarted() { at_most "$(($1 + workers))" "$(ended)"; } # how many workers had ended before

# restart_under what wrk-argument...
restart_under() {
    local what=$1 before i
    shift
    begin_load "$((2 * restarts + 4))" "$@"
    for ((i = 0; i < restarts; ++i)); do
        sleep 1 # under load
        before=$(ended)
        kill -HUP "$server_pid"
        await has_restarted "$before" || failed=1
    done
    end_load
    printf '%s: %s requests, %s a second\n' "$what" "$(requests)" "$(requests_a_second)"
    check "no request failed over $restarts restarts: $(failures_of "$scratch/wrk.txt")" same 0 "$(failures_of "$scratch/wrk.txt")"
}

begin_server
curl --silent --show-error --fail --max-time 5 --retry 5 --retry-connrefused "$url" >/dev/null
restart_under "a connection for each request" --header 'Connection: close'
restart_under "kept alive"
check "every worker that was started has ended in order, but those that serve" same "$(started)" "$(($(ended) + workers))"
end_server
exit "$failed"
