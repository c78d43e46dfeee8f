#!/usr/bin/env bash
# Runs inside the systemd that tests/systemd.sh boots: the units of docs/deployment.md do what that page says.
set -euo pipefail

check() { # what, command...
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else
        echo "FAILED: $what"
        systemctl status --no-pager --full web.service shop.service || true
        journalctl --no-pager --lines 60 || true
        exit 1
    fi
}

eventually() { # command...: within 40 s
    local end=$((SECONDS + 40))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1 # systemd tells a script of no change
    done
}

value() { systemctl show --value --property "$2" "$1"; }           # unit, property
is() { [ "$(value "$1" "$2")" = "$3" ]; }                          # unit, property, value
is_not() { ! is "$@"; }
answers() { curl --silent --fail --max-time 20 --output /dev/null "http://127.0.0.1:$1/"; } # port
processes() { [ "$(wc -l <"/sys/fs/cgroup$(value "$1" ControlGroup)/cgroup.procs")" -eq "$2" ]; } # unit, count
runs_as() { [ "$(ps -o user= -p "$(value "$1" MainPID)")" = "$2" ]; } # unit, user

# Upgrades under a client that asks all the time: another main process each time, and no request lost.
upgrade_under_load() { # unit, port, times
    local stop lost before
    stop=$(mktemp --dry-run) lost=$(mktemp)
    while [ ! -e "$stop" ]; do answers "$2" || echo lost >>"$lost"; done &
    local client=$!
    for ((i = 0; i < $3; ++i)); do
        before=$(value "$1" MainPID)
        systemctl reload "$1"
        eventually is_not "$1" MainPID "$before" || return 1
        eventually is "$1" ActiveState active || return 1
    done
    touch "$stop"
    wait "$client"
    [ ! -s "$lost" ]
}

check "web.service starts" systemctl start web.service
check "it answers" answers 8080
check "it runs as its user" runs_as web.service www-data
check "its segment is in its runtime directory" test -n "$(ls -A /run/web)"
check "nothing is in /dev/shm" test -z "$(ls -A /dev/shm)"
check "five reloads are five upgrades, and no request is lost" upgrade_under_load web.service 8080 5
check "one supervisor and its two workers are left" eventually processes web.service 3

main=$(value web.service MainPID)
kill -STOP "$main"
check "the watchdog replaces a stopped supervisor" eventually is_not web.service MainPID "$main"
check "it was the watchdog" eventually is web.service NRestarts 1
check "the service answers again" eventually answers 8080

main=$(value web.service MainPID)
kill -KILL "$main"
check "a killed supervisor is started again" eventually is web.service NRestarts 2
check "the service answers then" eventually answers 8080
check "no worker of the dead one is left" eventually processes web.service 3

mkdir -p /etc/systemd/system/web.service.d
mv /etc/systemd/system/limits.conf /etc/systemd/system/web.service.d/
systemctl daemon-reload
check "web.service starts with the limits and the filter of system calls" systemctl restart web.service
check "they are in force" is web.service LimitNOFILE 20000
check "the service answers under them" answers 8080
check "two upgrades pass under them" upgrade_under_load web.service 8080 2

systemctl kill --kill-who=all --signal=TERM web.service
check "SIGTERM to all its processes ends it in order" eventually is web.service ActiveState inactive
check "its status is a success" is web.service Result success
check "it is not started again" is web.service NRestarts 0
check "its runtime directory has gone" test ! -e /run/web

check "shop.socket listens" systemctl start shop.socket
check "the service does not run yet" is shop.service ActiveState inactive
check "a client starts it, and is answered" answers 8081
check "it runs" is shop.service ActiveState active
check "three upgrades keep systemd's listener, and no request is lost" upgrade_under_load shop.service 8081 3
check "systemctl stop shop.service" systemctl stop shop.service
check "its status is a success" is shop.service Result success
check "a client that comes after that starts it again, and is answered" answers 8081
check "systemctl stop of both" systemctl stop shop.socket shop.service
check "nothing is left in /dev/shm" test -z "$(ls -A /dev/shm)"
echo passed
