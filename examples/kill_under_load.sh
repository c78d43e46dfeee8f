#!/usr/bin/env bash
# examples/kill_under_load.sh [SECONDS]: kills a random worker with SIGKILL every second under wrk, for 60 s if not given.
# It needs wrk, curl and jq (demo.sh installs them) and a built tree. It ends with 0 only if requests failed on connections of killed
# workers alone, each killed worker was replaced, and nothing is left.
# shellcheck disable=SC2317 # `check` and `await` call the functions that seem unreachable
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
segment="kill.$$"
# shellcheck source=examples/support/server_under_load.sh
. examples/support/server_under_load.sh

sharedsock() { "$build/bin/sharedsock" "$@"; }
stats() { curl --silent --show-error --fail --max-time 5 "${url}stats"; }
ready() { [ "$(sharedsock list --json | jq ".segments[] | select(.name == \"$segment\").workers_ready")" = "$workers" ]; }
# Without the descriptors of other processes' doorbells: the first ring opens them, and they stay open.
descriptors() { find "/proc/$server_pid/fd" -mindepth 1 ! -lname '*/bell.*' | wc -l; }
sockets() { sharedsock show "$segment" --json | jq .use.sockets.used; }
only_the_listener() { [ "$(sockets)" = 1 ]; }
is_sound() { sharedsock check "$segment" >/dev/null; }

begin_server --quiet
port=${url##*:}
port=${port%/}
await ready
before=$(descriptors)

begin_load "$seconds"
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
end_load

printf '%s workers killed in %s s, each with %s connections on average\n' "$kills" "$seconds" "$((lost / (kills > 0 ? kills : 1)))"
printf '%s requests, %s a second, %s failed\n' "$(requests)" "$(requests_a_second)" "$(failures_of "$scratch/wrk.txt")"
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
end_server
exit "$failed"
