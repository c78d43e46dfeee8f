#!/usr/bin/env bash
# examples/restart_under_load.sh [RESTARTS]: replaces all workers of prefork_http that often under wrk, 10 times if not given; first with
# a connection for each request, then with connections that are kept alive. It needs wrk and curl (demo.sh installs them) and a built
# tree. It ends with 0 only if no request failed.
# shellcheck disable=SC2317 # `check`, `await` and `trap` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=examples/support/script.sh
. examples/support/script.sh

restarts=${1:-10}
build=${BUILD:-build/dev}
workers=4
connections=32
segment="restart.$$"
scratch=$(mktemp -d)
server_pid=
load_pid=

clean_up() {
    local status=$?
    [ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
    [ -z "$server_pid" ] || kill -TERM "$server_pid" 2>/dev/null || true
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

has_url() { url=$(grep -s -o 'http://[0-9.:]*/' "$scratch/server.txt"); }
started() { grep -c ' starts$' "$scratch/server.txt" || true; }
ended() { grep -c ' ended with 0$' "$scratch/server.txt" || true; } # 0: grep fails
has_restarted() { at_most "$(($1 + workers))" "$(ended)"; } # how many workers had ended before
nothing_in_shm() { ! find /dev/shm -maxdepth 1 -name "*$segment*" | grep -q .; }

# restart_under what wrk-argument...
restart_under() {
    local what=$1 before i
    shift
    wrk --threads 2 --connections $connections --duration "$((2 * restarts + 4))s" "$@" "$url" >"$scratch/wrk.txt" &
    load_pid=$!
    for ((i = 0; i < restarts; ++i)); do
        sleep 1 # under load
        before=$(ended)
        kill -HUP "$server_pid"
        check_quietly has_restarted "$before"
    done
    wait "$load_pid"
    load_pid=
    printf '%s: %s requests, %s a second\n' "$what" "$(awk '/requests in/ { print $1 }' "$scratch/wrk.txt")" \
        "$(awk '/Requests\/sec/ { print int($2) }' "$scratch/wrk.txt")"
    check "no request failed over $restarts restarts: $(failures_of "$scratch/wrk.txt")" same 0 "$(failures_of "$scratch/wrk.txt")"
}
check_quietly() { await "$@" || failed=1; }

"$build/examples/prefork_http" --port 0 --workers $workers --segment "$segment" >"$scratch/server.txt" 2>&1 &
server_pid=$!
await has_url
curl --silent --show-error --fail --max-time 5 --retry 5 --retry-connrefused "$url" >/dev/null
restart_under "a connection for each request" --header 'Connection: close'
restart_under "kept alive"
check "every worker that was started has ended in order, but those that serve" same "$(started)" "$(($(ended) + workers))"
kill -TERM "$server_pid"
status=0
wait "$server_pid" || status=$?
server_pid=
check "the server ends in order" same 0 "$status"
check "nothing is left in /dev/shm" nothing_in_shm
exit "$failed"
