#!/usr/bin/env bash
# examples/kill_under_load.sh [SECONDS]: kills a random worker with SIGKILL every second under wrk, for 60 s if not given.
# It needs wrk, curl and jq (demo.sh installs them) and a built tree. It ends with 0 only if requests failed on connections of killed
# workers alone, each killed worker was replaced, and nothing is left.
# shellcheck disable=SC2317 # `check`, `await` and `trap` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=examples/support/script.sh
. examples/support/script.sh

seconds=${1:-60}
build=${BUILD:-build/dev}
workers=4
connections=32
segment="kill.$$"
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

sharedsock() { "$build/bin/sharedsock" "$@"; }
stats() { curl --silent --show-error --fail --max-time 5 "${url}stats"; }
ready() { [ "$(sharedsock list --json | jq ".segments[] | select(.name == \"$segment\").workers_ready")" = "$workers" ]; }
# Without the descriptors of other processes' doorbells: the first ring opens them, and they stay open.
descriptors() { find "/proc/$server_pid/fd" -mindepth 1 ! -lname '*/bell.*' | wc -l; }
sockets() { sharedsock show "$segment" --json | jq .use.sockets.used; }
has_url() { url=$(grep -s -o 'http://[0-9.:]*/' "$scratch/server.txt"); }
nothing_in_shm() { ! find /dev/shm -maxdepth 1 -name "*$segment*" | grep -q .; }
only_the_listener() { [ "$(sockets)" = 1 ]; }
is_sound() { sharedsock check "$segment" >/dev/null; }

"$build/examples/prefork_http" --port 0 --workers $workers --segment "$segment" --quiet >"$scratch/server.txt" 2>&1 &
server_pid=$!
await has_url
port=${url##*:}
port=${port%/}
await ready
before=$(descriptors)

wrk --threads 2 --connections $connections --duration "${seconds}s" "$url" >"$scratch/wrk.txt" &
load_pid=$!
kills=0
lost=0
answered=() # from each death to the next answer on a new connection, in us
end=$((SECONDS + seconds - 2))
while sleep 1 && [ $SECONDS -lt $end ]; do
    # The count just before the kill: wrk has opened the connections of the last victim anew, on other workers.
    read -r victim open < <(stats | jq --raw-output '.workers[] | "\(.pid) \(.open)"' | shuf --head-count 1)
    kill -KILL "$victim"
    kills=$((kills + 1))
    lost=$((lost + open))
    answered_after_death_of "$victim" && answered+=("$answered_us")
done
wait "$load_pid"
load_pid=

printf '%s workers killed in %s s, each with %s connections on average\n' "$kills" "$seconds" "$((lost / (kills > 0 ? kills : 1)))"
printf '%s requests, %s a second, %s failed\n' "$(awk '/requests in/ { print $1 }' "$scratch/wrk.txt")" \
    "$(awk '/Requests\/sec/ { print int($2) }' "$scratch/wrk.txt")" "$(failures_of "$scratch/wrk.txt")"
mapfile -t answered < <(printf '%s\n' "${answered[@]}" | sort -n)
printf 'from when a death could be seen until a new connection had its answer: median %s us, 95 %% %s us, most %s us\n' \
    "${answered[$((${#answered[@]} / 2))]}" "${answered[$((${#answered[@]} * 95 / 100))]}" "${answered[-1]}"
check "each time a new connection was answered" same "$kills" "${#answered[@]}"
check "no more requests failed than the killed workers had connections: $(failures_of "$scratch/wrk.txt") of $lost" \
    at_most "$(failures_of "$scratch/wrk.txt")" "$lost"
check "all workers are ready again" await ready
check "the parent has as many descriptors as before" same "$before" "$(descriptors)"
check "of the sockets only the listener is left" await only_the_listener
check "sharedsock check finds nothing" is_sound
kill -TERM "$server_pid"
status=0
wait "$server_pid" || status=$?
server_pid=
check "the server ends in order" same 0 "$status"
check "nothing is left in /dev/shm" nothing_in_shm
exit "$failed"
