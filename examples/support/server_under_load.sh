# shellcheck shell=bash
# A server of prefork_http for scripts that put it under load: segment=NAME, then . examples/support/server_under_load.sh
# shellcheck disable=SC2034,SC2154 # the script that includes this uses $workers and its like, and has set $segment
# shellcheck disable=SC2317 # `check`, `await` and `trap` call the functions that seem unreachable
# shellcheck source=examples/support/script.sh
. examples/support/script.sh

build=${BUILD:-build/dev}
workers=4
connections=32
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
nothing_in_shm() { ! find /dev/shm -maxdepth 1 -name "*$segment*" | grep -q .; }

# begin_server option...: sets $url, and $server_pid. The server writes to $scratch/server.txt.
begin_server() {
    "$build/examples/prefork_http" --port 0 --workers $workers --segment "$segment" "$@" >"$scratch/server.txt" 2>&1 &
    server_pid=$!
    await has_url
}

# begin_load SECONDS wrk-argument...: end_load waits for its end, and wrk has written to $scratch/wrk.txt then.
begin_load() {
    local seconds=$1
    shift
    wrk --threads 2 --connections $connections --duration "${seconds}s" "$@" "$url" >"$scratch/wrk.txt" &
    load_pid=$!
}
end_load() {
    wait "$load_pid"
    load_pid=
}
requests() { awk '/requests in/ { print $1 }' "$scratch/wrk.txt"; }
requests_a_second() { awk '/Requests\/sec/ { print int($2) }' "$scratch/wrk.txt"; }

end_server() {
    local status=0
    kill -TERM "$server_pid"
    wait "$server_pid" || status=$?
    server_pid=
    check "the server ends in order" same 0 "$status"
    check "nothing is left in /dev/shm" nothing_in_shm
}
