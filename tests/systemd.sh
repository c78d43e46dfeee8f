#!/usr/bin/env bash
# Boots systemd in an empty Debian, in namespaces of its own, and runs the units of docs/deployment.md there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

usage() {
    cat <<'TEXT'
usage: tests/systemd.sh [option...]

The script needs root (chroot, mounts), a kernel with cgroup2, and a Debian mirror. It builds examples/prefork_http, makes a root with
systemd, the program and the units, and boots it. tests/systemd_checks.sh runs inside, as a unit. All processes, mounts and sockets are in
namespaces of the script, and end with it.

  --program FILE  the prefork_http to run; built below build/systemd if not given
  --root DIR      makes the root there and keeps it; a root that is there already is used again
  --mirror URL    of the packages; debootstrap's own choice if not given
  --help          this text
TEXT
}

program=
kept_root=
mirror=
while [ $# -gt 0 ]; do
    case "$1" in
        --program) program=${2:?--program needs a file}; shift ;;
        --root) kept_root=${2:?--root needs a directory}; shift ;;
        --mirror) mirror=${2:?--mirror needs a URL}; shift ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; printf '\nunknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done
[ "$(id -u)" -eq 0 ] || { printf 'tests/systemd.sh: needs root, for chroot and mounts; use sudo\n' >&2; exit 2; }

install_packages debootstrap g++ cmake ninja-build pkg-config
if [ -z "$program" ]; then
    say "build: prefork_http, below build/systemd"
    cmake -S . -B build/systemd -G Ninja -D CMAKE_BUILD_TYPE=Release -D SHAREDSOCK_BUILD_TESTS=OFF
    cmake --build build/systemd -j "$(nproc)" --target example_prefork_http
    program=build/systemd/examples/prefork_http
fi

suite=$(. /etc/os-release && echo "$VERSION_CODENAME") # the program needs the C++ library that it was built with
root=${kept_root:-$(mktemp --directory "${TMPDIR:-/var/tmp}/sharedsock.systemd.XXXXXX")}
clean_up() { [ -n "$kept_root" ] || rm -rf --one-file-system "$root"; }
trap clean_up EXIT
trap 'exit 130' INT TERM
if [ ! -x "$root/usr/bin/systemctl" ]; then
    say "debootstrap: $suite with systemd into $root"
    debootstrap --variant=minbase --include=systemd,dbus,curl,procps "$suite" "$root" ${mirror:+"$mirror"}
fi

# The ini block that follows the line which names the unit.
unit_of_page() { # name
    awk -v name="\`$1\`" '/:$/ && index($0, name) { named = 1 } named && /^```$/ { exit } inside { print } named && /^```ini$/ { inside = 1 }' \
        docs/deployment.md
}

units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants" "$root/usr/local/lib"
rm -rf "$units/web.service.d"
for unit in web.service shop.socket shop.service limits.conf; do
    unit_of_page "$unit" >"$units/$unit"
    [ -s "$units/$unit" ] || { say "docs/deployment.md has no unit $unit"; exit 1; }
done
install "$program" "$root/usr/local/bin/prefork_http"
install tests/systemd_checks.sh "$root/usr/local/lib/checks.sh"
cat >"$units/checks.service" <<'TEXT'
[Unit]
Description=The checks of tests/systemd.sh
After=network.target dbus.service

[Service]
Type=oneshot
ExecStart=/usr/local/lib/checks.sh
StandardOutput=file:/checks.log
StandardError=inherit
TimeoutStartSec=300
ExecStopPost=/bin/systemctl exit
TEXT
ln -sf ../checks.service "$units/multi-user.target.wants/checks.service"
: >"$root/checks.log"

boot() {
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$root/run"
    mkdir -p "$root/dev/shm"
    mount -t tmpfs tmpfs "$root/dev/shm"
    ip link set lo up
    exec chroot "$root" env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=journal
}
export -f boot
export root

say "boot: $(chroot "$root" systemctl --version | head -n 1)"
timeout --signal=KILL 400 unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --net bash -c boot || true
cat "$root/checks.log"
grep -q '^passed$' "$root/checks.log" || { say "NOT all checks have passed"; exit 1; }
say "all checks have passed"
