# shellcheck shell=bash
# The common part of the scripts in examples/: . examples/support/script.sh
# shellcheck disable=SC2034,SC2154 # the script that includes this reads $failed and sets $port

failed=0

# check "statement" command...: the statement is true if the command succeeds.
check() {
    local statement=$1
    shift
    if "$@"; then
        printf '  yes  %s\n' "$statement"
    else
        printf '  NO   %s\n' "$statement"
        failed=1
    fi
}

# Repeats the command until it succeeds, for 5 s at most; says so if it did not.
await() { # command...
    local end=$((SECONDS + 5))
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            printf '%s: not within 5 s: %s\n' "${0##*/}" "$*" >&2
            return 1
        fi
        sleep 0.1
    done
}

same() { [ "$1" = "$2" ]; }
at_most() { [ "$1" -le "$2" ]; }

# The number of failed requests; wrk prints no line if none failed.
failures_of() {
    awk '/Socket errors/ { gsub(",", ""); n += $4 + $6 + $8 + $10 } /Non-2xx/ { n += $NF } END { print n + 0 }' "$1"
}

# Waits until the kernel shows the death of a process, 5 s at most; connects then to $port, asks, and waits for the answer, 5 s at
# most. Succeeds if the answer came; $answered_us is the time from death to answer in microseconds. It forks nothing meanwhile.
answered_after_death_of() { # pid
    local state connection line='' end=$((SECONDS + 5)) dead_us
    answered_us=-1
    while read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" && [ "$state" != Z ]; do
        [ $SECONDS -lt $end ] || return 1
    done
    dead_us=${EPOCHREALTIME/[.,]/}
    exec {connection}<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&"$connection"
    read -r -t 5 -u "$connection" line || true # an empty line is no answer
    answered_us=$((${EPOCHREALTIME/[.,]/} - dead_us))
    exec {connection}>&-
    [[ $line == 'HTTP/1.1 200'* ]]
}
