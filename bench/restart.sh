#!/usr/bin/env bash
# bench/restart.sh [--restarts N] [--every SECONDS] [--proof REQUESTS] [SERVER...]: restarts servers under one load, and counts.
#
# The servers: nginx-hup, nginx-usr2, haproxy, ours-hup, ours-usr2; all that are installed if none is named. The load: 16 kept
# connections and 8 that come anew for each request, by restart_load, which says what it counts. With --proof only ours-usr2 runs, under
# wrk as well, until REQUESTS are answered and N upgrades are done (100 if not given), and it ends with 0 only if none was lost.
# It needs nginx-light, haproxy and wrk. BUILD is the build directory, build/bench of the project if not set.
# shellcheck disable=SC2317 # `await` and `trap` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=examples/support/script.sh
. examples/support/script.sh

restarts=
every=1
proof=
servers=()
while [ $# -gt 0 ]; do
    case $1 in
    --restarts) restarts=$2 && shift 2 ;;
    --every) every=$2 && shift 2 ;;
    --proof) proof=$2 && shift 2 ;;
    *) servers+=("$1") && shift ;;
    esac
done
build=${BUILD:-build/bench}
workers=4
kept=16
fresh=8
scratch=$(mktemp -d)
segment="restart.$$"
server_pid=
load_pid=
wrk_pid=

clean_up() {
    local status=$?
    [ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
    [ -z "$wrk_pid" ] || kill "$wrk_pid" 2>/dev/null || true
    [ -z "$server_pid" ] || stop || true
    if [ -s "$scratch/nginx.pid" ]; then kill -TERM "$(<"$scratch/nginx.pid")" 2>/dev/null || true; fi # in the middle of its upgrade
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

build_programs() {
    cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DSHAREDSOCK_BUILD_BENCH=ON -DSHAREDSOCK_BUILD_TESTS=OFF \
        -DSHAREDSOCK_BUILD_EXAMPLES=ON -DSHAREDSOCK_BUILD_COMMAND=OFF >/dev/null
    cmake --build "$build" --target restart_load example_prefork_http >&2
}

# --- servers: start_* sets $port and $server_pid, restart_* returns when the next version serves ----------------------------------

# A port that is free now, below those that the kernel gives to clients.
free_port() {
    local candidate
    for ((candidate = 20000 + $$ % 5000; ; ++candidate)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { port=$candidate && return; }
    done
}
answers() { curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port/"; }
gone() { ! kill -0 "$1" 2>/dev/null || [[ $(ps -o stat= -p "$1") == Z* ]]; }

start_nginx() {
    free_port
    cat >"$scratch/nginx.conf" <<TEXT
worker_processes $workers;
pid $scratch/nginx.pid;
error_log $scratch/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $scratch; proxy_temp_path $scratch; fastcgi_temp_path $scratch; uwsgi_temp_path $scratch;
    scgi_temp_path $scratch;
    server { listen 127.0.0.1:$port backlog=4096; location / { default_type text/plain; return 200 "Hello from process 12345.\n"; } }
}
TEXT
    # By its whole path: it executes itself by that name. As a daemon, for it upgrades no other way.
    /usr/sbin/nginx -c "$scratch/nginx.conf" 2>>"$scratch/nginx.log"
    await test -s "$scratch/nginx.pid"
    server_pid=$(nginx_pid)
}
workers_of_nginx() { ps -o pid= --ppid "$1" | tr -d ' ' | sort; }
restart_nginx_hup() {
    local before one
    before=$(workers_of_nginx "$server_pid")
    kill -HUP "$server_pid"
    for one in $before; do await gone "$one"; done
}
nginx_pid() { cat "$scratch/nginx.pid" 2>/dev/null || true; } # none while one process renames the file and the next one makes its own
another_nginx() {
    local now
    now=$(nginx_pid)
    [ -n "$now" ] && [ "$now" != "$1" ] && [ -n "$(workers_of_nginx "$now")" ]
}
restart_nginx_usr2() {
    local before=$server_pid
    kill -USR2 "$before"
    await another_nginx "$before"
    server_pid=$(nginx_pid)
    kill -QUIT "$before"
    await gone "$before"
}

start_haproxy() {
    free_port
    cat >"$scratch/haproxy.cfg" <<TEXT
global
    nbthread $workers
    stats socket $scratch/haproxy.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend all
    bind 127.0.0.1:$port backlog 4096
    http-request return status 200 content-type text/plain string "Hello from process 12345.\n"
TEXT
    /usr/sbin/haproxy -W -f "$scratch/haproxy.cfg" -p "$scratch/haproxy.pid" >"$scratch/haproxy.log" 2>&1 &
    server_pid=$!
}
newest_haproxy() { ps -o pid= --ppid "$server_pid" | tr -d ' ' | sort -n | tail -n 1; }
only_haproxy() { [ "$(ps -o pid= --ppid "$server_pid" | wc -l)" = 1 ] && [ "$(newest_haproxy)" != "$1" ]; }
restart_haproxy() {
    local before
    before=$(newest_haproxy)
    kill -USR2 "$server_pid"
    await only_haproxy "$before"
}

serving() { grep -s -o 'process [0-9]* serves' "$scratch/ours.txt" | tail -n 1 | tr -d -c 0-9; }
start_ours() {
    "$build/examples/prefork_http" --port 0 --workers $workers --segment "$segment" --directory /dev/shm >"$scratch/ours.txt" 2>&1 &
    server_pid=$!
    await grep -q serves "$scratch/ours.txt"
    port=$(grep -o 'http://[0-9.:]*/' "$scratch/ours.txt" | tr -d / | cut -d: -f3)
}
ended_workers() { grep -c ' ended with 0$' "$scratch/ours.txt" || true; }
has_rolled() { at_most "$(($1 + workers))" "$(ended_workers)"; }
restart_ours_hup() {
    local before
    before=$(ended_workers)
    kill -HUP "$server_pid"
    await has_rolled "$before"
}
another_of_ours() { [ "$(serving)" != "$1" ]; }
restart_ours_usr2() {
    local before=$server_pid
    kill -USR2 "$before"
    await another_of_ours "$before"
    server_pid=$(serving)
}

stop() {
    kill -TERM "$server_pid"
    await gone "$server_pid"
    server_pid=
}

# --- the load ----------------------------------------------------------------------------------------------------------------

begin_load() {
    "$build/bench/restart_load" "$port" $kept $fresh >"$scratch/load.txt" &
    load_pid=$!
}
end_load() {
    kill -TERM "$load_pid"
    wait "$load_pid"
    load_pid=
}
counted() { tr ' ' '\n' <"$scratch/load.txt" | grep -A 1 "^$1\$" | tail -n 1; }

# play NAME RESTART-FUNCTION: a row of the table.
play() {
    begin_load
    sleep "$every" # under load
    local i
    for ((i = 0; i < restarts; ++i)); do
        "$2" || failed=1
        sleep "$every"
    done
    end_load
    printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$restarts" "$(counted requests)" "$(counted lost)" "$(counted refused)" \
        "$(counted broken)" "$(counted ended)" "$(counted worst_us)" "$(counted silence_us)"
}
compare() {
    restarts=${restarts:-10}
    [ ${#servers[@]} -gt 0 ] || servers=(nginx-hup nginx-usr2 haproxy ours-hup ours-usr2)
    printf '%s workers; %s kept connections, %s of one request each; %s processors, which the load shares\n\n' $workers $kept $fresh "$(nproc)"
    printf '| server | restarts | requests | lost | refused | broken | ended | worst answer, us | longest silence, us |\n'
    printf '|---|---|---|---|---|---|---|---|---|\n'
    local one
    for one in "${servers[@]}"; do
        [ -x "/usr/sbin/${one%%-*}" ] || [ "${one%%-*}" = ours ] || { echo "$one is not installed" >&2 && continue; }
        "start_${one%%-*}"
        await answers
        play "$one" "restart_${one//-/_}"
        stop
    done
}

# --- the proof ---------------------------------------------------------------------------------------------------------------

prove() {
    restarts=${restarts:-100}
    start_ours
    await answers
    local done=0 wrk_requests=0 wrk_failures=0 kept_requests=0 lost=0 broken=0 worst=0 silence=0 i
    while [ $done -lt "$restarts" ] || [ $((wrk_requests + kept_requests)) -lt "$proof" ]; do
        begin_load
        wrk --threads 1 --connections 16 --duration 13s --header 'Connection: close' "http://127.0.0.1:$port/" >"$scratch/wrk.txt" &
        wrk_pid=$!
        for ((i = 0; i < 10; ++i)); do
            sleep 1 # under load
            restart_ours_usr2
        done
        wait "$wrk_pid"
        wrk_pid=
        end_load
        done=$((done + 10))
        wrk_requests=$((wrk_requests + $(awk '/requests in/ { print $1 }' "$scratch/wrk.txt")))
        wrk_failures=$((wrk_failures + $(failures_of "$scratch/wrk.txt")))
        kept_requests=$((kept_requests + $(counted requests)))
        lost=$((lost + $(counted lost) + $(counted refused)))
        broken=$((broken + $(counted broken) + $(counted ended)))
        worst=$(($(counted worst_us) > worst ? $(counted worst_us) : worst))
        silence=$(($(counted silence_us) > silence ? $(counted silence_us) : silence))
        printf '%s upgrades: %s requests by wrk, a connection each, %s failed; %s by the other clients, %s lost, %s kept connections ended; worst answer %s us, longest silence %s us\n' \
            $done $wrk_requests $wrk_failures $kept_requests $lost $broken "$worst" "$silence"
    done
    stop
    check "no request was lost, and no connection ended" same 0 $((wrk_failures + lost + broken))
    check "nothing is left in /dev/shm" nothing_in_shm
}
nothing_in_shm() { ! find /dev/shm -maxdepth 1 -name "*$segment*" | grep -q .; }

build_programs
if [ -n "$proof" ]; then prove; else compare; fi
exit "$failed"
