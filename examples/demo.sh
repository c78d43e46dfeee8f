#!/usr/bin/env bash
# Four processes accept in turn from one listener; the busiest is killed under load, and the others go on. Then the whole server is
# replaced under load, and its connections go on in the next one.
# The script installs packages, builds the programs, shows each step, and ends with 0 only if every statement that it prints is true.
# shellcheck disable=SC2317 # `check` and `trap` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=examples/support/script.sh
. examples/support/script.sh
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

workers=4
connections=32
segment="demo.$$"
build=build/demo
scratch=$(mktemp -d)
server_pid=
load_pid=

# --- programs --------------------------------------------------------------------------------------------------------------

build_programs() {
    say "build: the server and the sharedsock program, below $build"
    cmake --preset release -B "$build" -D SHAREDSOCK_BUILD_TESTS=OFF -D SHAREDSOCK_BUILD_BENCH=OFF >"$scratch/cmake.txt" ||
        { cat "$scratch/cmake.txt"; return 1; }
    cmake --build "$build" -j "$(nproc)" --target example_prefork_http sharedsock_command
}

sharedsock() { "$build/bin/sharedsock" "$@"; }

# --- the server ---------------------------------------------------------------------------------------------------------------

# The pipe ends with the last version of the server; `timeout` ends that in order even if this script was killed.
start_server() {
    # shellcheck disable=SC2016 # the inner shell expands it
    timeout 90 bash -c '"$@" | cat' server "$build/examples/prefork_http" --port 0 --workers $workers --segment "$segment" --quiet \
        >"$scratch/server.txt" &
    server_pid=$!
    await has_url
    await serves
    port=${url##*:}
    port=${port%/}
    await all_in_line
}

stop_server() {
    [ -n "$server_pid" ] || return 0
    if serves; then kill -TERM "$serving" 2>/dev/null || true; fi
    local status=0
    wait "$server_pid" || status=$?
    server_pid=
    return "$status"
}

clean_up() {
    local status=$?
    [ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
    stop_server || true
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# --- queries ------------------------------------------------------------------------------------------------------------------

fetch() { curl --silent --show-error --fail --max-time 5 "$@"; }
stats() { fetch "${url}stats"; }
who() { sharedsock who "$port" --segment "$segment" --json | jq --raw-output ".sockets[0]$1"; }
all_in_line() { [ "$(who '.handles | map(select(.accepts_in_turn and .process.alive)) | length')" = "$workers" ]; }
holders() { who '.handles[].process.pid' | sort -n; }
holders_by_ss() { ss --no-header --listening --tcp --numeric --processes "sport = :$port" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -nu; }
per_worker() { stats | jq --raw-output ".workers[].$1"; }
serves() { serving=$(grep -s -o 'process [0-9]* serves' "$scratch/server.txt" | tail -n 1 | tr -d -c 0-9) && [ -n "$serving" ]; }
serves_another_than() { serves && [ "$serving" != "$1" ]; }
has_url() { url=$(grep -s -o 'http://[0-9.:]*/' "$scratch/server.txt"); }
answers() { fetch "$url" | grep -q '^Hello from process [0-9]*\.$'; }
# A version that was replaced is not this script's child: whether its corpse is reaped is the business of the machine's first process.
all_gone_or_dead() {
    local pid state
    for pid in "$@"; do
        state=$(ps -o stat= -p "$pid") || true
        [[ -z $state || $state == Z* ]] || return 1
    done
}
nothing_in_shm() { ! find /dev/shm -maxdepth 1 -name "*$segment*" | grep -q .; }

show() {
    say "\$ sharedsock list"
    sharedsock list
    say "\$ sharedsock who $port"
    sharedsock who "$port" --segment "$segment"
    say "\$ sharedsock show $segment"
    sharedsock show "$segment"
    if command -v ss >/dev/null; then
        check "ss -ltnp names the same processes" same "$(holders)" "$(holders_by_ss)"
    fi
}

# --- load ---------------------------------------------------------------------------------------------------------------------

load() { wrk --threads 2 --connections $connections --duration "$1s" "${@:2}" "$url"; }
requests_of() { awk '/requests in/ { print $1 }' "$1"; }
rate_of() { awk '/Requests\/sec/ { print int($2) }' "$1"; }

without_a_kill() {
    say "load: $connections connections that stay, 5 s"
    load 5 >"$scratch/staying.txt"
    check "no request of $(requests_of "$scratch/staying.txt") failed" same 0 "$(failures_of "$scratch/staying.txt")"

    say "load: a connection for each request, 5 s"
    local before after i
    mapfile -t before < <(per_worker accepts)
    load 5 --header 'Connection: close' >"$scratch/short.txt"
    mapfile -t after < <(per_worker accepts)
    accepts=()
    for i in "${!after[@]}"; do accepts+=($((after[i] - before[i]))); done
    check "no request of $(requests_of "$scratch/short.txt") failed" same 0 "$(failures_of "$scratch/short.txt")"
}

with_a_kill() {
    say "load: $connections connections that stay, 6 s; the worker that has most of them gets a kill -9 after 3 s"
    load 6 >"$scratch/killed.txt" &
    load_pid=$!
    sleep 3
    read -r victim open < <(stats | jq --raw-output '.workers | max_by(.open) | "\(.pid) \(.open)"')
    printf '  killing %s, which has %s connections\n' "$victim" "$open"
    kill -KILL "$victim"
    check "a new connection is answered" answered_after_death_of "$victim"
    wait "$load_pid"
    load_pid=

    broken=$(failures_of "$scratch/killed.txt")
    check "the answer came within a second of the death: $answered_us us" at_most "$answered_us" 1000000
    check "no more requests failed than the dead worker had connections: $broken of $open" at_most "$broken" "$open"
    check "the dead worker is replaced, and all accept in turn" await all_in_line
    check "the dead worker holds nothing any more" same 0 "$(holders | grep -c "^$victim\$" || true)"
}

with_an_upgrade() {
    say "load: $connections connections that stay, 6 s; the server gets SIGUSR2 after 3 s, and is replaced by the program that is there now"
    local last_one=$serving
    load 6 >"$scratch/upgraded.txt" &
    load_pid=$!
    sleep 3
    mapfile -t old_workers < <(per_worker pid)
    kill -USR2 "$last_one"
    check "another process serves: $last_one has a successor" await serves_another_than "$last_one"
    wait "$load_pid"
    load_pid=
    check "no request of $(requests_of "$scratch/upgraded.txt") failed" same 0 "$(failures_of "$scratch/upgraded.txt")"
    check "the last version and its workers have ended" await all_gone_or_dead "$last_one" "${old_workers[@]}"
    check "the workers of the next one accept in turn" await all_in_line
}

summary() {
    local sum=0 most=0 one staying="$scratch/staying.txt" short="$scratch/short.txt" killed="$scratch/killed.txt"
    local upgraded="$scratch/upgraded.txt"
    for one in "${accepts[@]}"; do
        sum=$((sum + one))
        most=$((one > most ? one : most))
    done
    say "summary ($(nproc) processors, which the load shares with the server)"
    cat <<TEXT
  connections that stay        $(requests_of "$staying") requests, $(rate_of "$staying") a second, $(failures_of "$staying") failed
  a connection for each        $(requests_of "$short") requests, $(rate_of "$short") a second, $(failures_of "$short") failed
    accepts per worker         ${accepts[*]}; the busiest has $((1000 * most / sum / 10)).$((1000 * most / sum % 10)) %
  that stay, one worker killed $(requests_of "$killed") requests, $(rate_of "$killed") a second, $broken failed
    of those, on connections of other workers than the killed one: $((broken > open ? broken - open : 0))
    (the killed one had $open; a connection ends with the only process that holds it, and its client connects again)
    from when its death could be seen until a new connection had its answer: $answered_us us
  that stay, over an upgrade   $(requests_of "$upgraded") requests, $(rate_of "$upgraded") a second, $(failures_of "$upgraded") failed
    the slowest took           $(awk '$1 == "Latency" { print $4 }' "$upgraded")
TEXT
}

install_packages g++ cmake ninja-build wrk curl jq
build_programs
start_server
say "the server: $workers workers at $url"
check "curl gets the answer that it should" answers
show
without_a_kill
with_a_kill
show
with_an_upgrade
show
mapfile -t pids < <(per_worker pid)
summary

last_version=$serving
say "the end: SIGTERM to the server"
check "it ends in order" stop_server
check "no process is left" await all_gone_or_dead "$last_version" "${pids[@]}"
check "nothing is left in /dev/shm" nothing_in_shm
if [ "$failed" -eq 0 ]; then say "all of it was true"; else say "NOT all of it was true"; fi
exit "$failed"
