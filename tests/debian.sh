#!/usr/bin/env bash
# Makes an empty Debian and runs the two commands of the README in it, on a fresh clone of this repository's HEAD.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

usage() {
    cat <<'TEXT'
usage: tests/debian.sh SUITE [option...] [-- command argument...]

SUITE is bookworm (Debian 12), trixie (Debian 13) or a newer one. The script needs root (mounts) and a Debian mirror. It runs
./examples/demo.sh and ./tests/run.sh twice in the new root, or the command that is given, in the clone there. The mounts are in a mount
namespace of the script, the processes in a pid namespace: both end with the script, whatever ends it.

  --times N      how often the commands run; 2 if not given
  --root DIR     makes the root there and keeps it; a root that is there already is used again
  --ccache DIR   the compilers in the root use ccache with this directory
  --mirror URL   of the packages; debootstrap's own choice if not given
  --help         this text
TEXT
}

suite=
times=2
kept_root=
ccache=
mirror=
command=()

while [ $# -gt 0 ]; do
    case "$1" in
        --times) times=${2:?--times needs a number}; shift ;;
        --root) kept_root=${2:?--root needs a directory}; shift ;;
        --ccache) ccache=${2:?--ccache needs a directory}; shift ;;
        --mirror) mirror=${2:?--mirror needs a URL}; shift ;;
        --help | -h) usage; exit 0 ;;
        --) shift; command=("$@"); break ;;
        -*) usage >&2; printf '\nunknown option: %s\n' "$1" >&2; exit 2 ;;
        *) suite=$1 ;;
    esac
    shift
done
[ -n "$suite" ] || { usage >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { printf 'tests/debian.sh: needs root, for mounts; use sudo\n' >&2; exit 2; }

root=${kept_root:-$(mktemp --directory "${TMPDIR:-/var/tmp}/sharedsock.$suite.XXXXXX")}
clean_up() { [ -n "$kept_root" ] || rm -rf --one-file-system "$root"; }
trap clean_up EXIT
trap 'exit 130' INT TERM

make_root() {
    [ -x "$root/usr/bin/dpkg" ] && return
    install_packages debootstrap
    say "debootstrap: $suite into $root"
    debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"}
}

fresh_clone() {
    rm -rf "$root/sharedsock"
    git clone --quiet --no-hardlinks . "$root/sharedsock"
}

# In the namespaces of the script. Nothing has to be unmounted: the mounts end with the namespace.
inside() {
    local environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mkdir -p "$root/dev/shm" "$root/dev/pts"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    if [ -n "$ccache" ]; then
        mkdir -p "$root/ccache"
        mount --bind "$ccache" "$root/ccache"
        environment+=(CCACHE_DIR=/ccache)
    fi
    # Not chroot: the kernel gives a process in one no user namespace.
    mkdir -p "$root/.outside"
    cd "$root"
    pivot_root . .outside
    # shellcheck disable=SC2016 # the inner shell expands it
    exec env -i "${environment[@]}" "rounds=$(declare -f rounds say)" suite="$suite" times="$times" ccache="$ccache" \
        bash -c 'set -euo pipefail; umount -l /.outside; eval "$rounds"; rounds "$@"' bash "${command[@]}"
}

# In the new root.
rounds() { # command of its user
    local round
    if [ -n "$ccache" ] && ! command -v ccache >/dev/null; then
        apt-get update && apt-get install --yes --no-install-recommends ccache
    fi
    for ((round = 1; round <= times; ++round)); do
        say "$suite, round $round of $times: ${*:-./examples/demo.sh and ./tests/run.sh}"
        cd /sharedsock
        if [ $# -gt 0 ]; then
            "$@"
        else
            ./examples/demo.sh
            ./tests/run.sh
        fi
        [ -z "$(ls -A /dev/shm)" ] || { ls -lA /dev/shm; say "something is left in /dev/shm"; return 1; }
    done
}

make_root
fresh_clone
export -f inside rounds say
export root suite times ccache
unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    bash -c 'set -euo pipefail; command=("$@"); inside' bash "${command[@]}"
say "$suite: passed $times times in $SECONDS s"
