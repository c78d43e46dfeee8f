#!/usr/bin/env bash
# Prints the matrix of builds: compiler x C++ standard x Boost x switch of Asio. Each cell works, or is refused by the compiler or the
# linker in words that say what to do. A cell that does neither ends the script with 1.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

usage() {
    cat <<'TEXT'
usage: tests/builds.sh [option...]

For each compiler the script builds the library with the system's Boost. For each cell it compiles a program (tests/package/asio/main.cpp:
stream, acceptor, async_select, serve), links it with that library, and runs it. If the linker refuses it, the script compiles
<sharedsock/asio/src.hpp> for the cell and runs the program with that.

  --compiler 'COMMAND FLAG...'  several times; if not given: each of g++, g++-14, clang++, and the newest clang++ with libc++, that is here
                                aarch64-linux-gnu-g++ is one of them: qemu-aarch64 runs its programs
  --build-type TYPE             of the library; Release if not given
  --standard N                  several times; 20 and 23 if not given
  --library DIR                 the folder of a library that is built already, for all compilers; it also has include/sharedsock/asio/src.hpp
  --boost DIR                   the folder that has boost/version.hpp; several times; only the system's if not given
  --fetch SUITE:PACKAGE         gets a Debian package of Boost, unpacks it below build/builds and uses it: trixie:libboost1.88-dev
  --all-switches                all switches in each row; else only in the first row of each compiler
  --help                        this text
TEXT
}

compilers=()
standards=()
boosts=()
all_switches=false
built=
build_type=Release
out=$PWD/build/builds
mkdir -p "$out"

# A Debian package of any suite, unpacked and not installed: an apt of its own, with its own lists.
fetch_boost() { # suite:package
    local suite=${1%%:*} package=${1#*:} apt=$out/apt
    local to=$out/$package
    if [ ! -e "$to/usr/include/boost/version.hpp" ]; then
        rm -rf "$apt" "$to"
        mkdir -p "$apt"/{state/lists/partial,cache/archives/partial} "$to"
        : >"$apt/state/status"
        local mirror # this machine's own, which has the other suites too
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
        : "${mirror:?apt knows no mirror on this machine; run apt-get update}"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
        local own=(-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/state/status" -o "Dir::Cache=$apt/cache"
            -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null)
        apt-get "${own[@]}" update >&2
        (cd "$to" && apt-get "${own[@]}" download "$package" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
        rm -rf "$apt"
    fi
    boosts+=("$to/usr/include")
}

while [ $# -gt 0 ]; do
    case "$1" in
        --compiler) compilers+=("${2:?--compiler needs a command}"); shift ;;
        --standard) standards+=("${2:?--standard needs a number}"); shift ;;
        --library) built=$(realpath "${2:?--library needs a directory}"); shift ;;
        --build-type) build_type=${2:?--build-type needs a name}; shift ;;
        --boost) boosts+=("${2:?--boost needs a directory}"); shift ;;
        --fetch) fetch_boost "${2:?--fetch needs SUITE:PACKAGE}"; shift ;;
        --all-switches) all_switches=true ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; printf '\nunknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done
[ ${#standards[@]} -gt 0 ] || standards=(20 23)
boosts=("" "${boosts[@]}") # the system's first
if [ ${#compilers[@]} -eq 0 ]; then
    for one in g++ g++-14 clang++ aarch64-linux-gnu-g++; do
        if command -v "$one" >/dev/null; then compilers+=("$one"); fi
    done
    newest=$(compgen -c clang++- | grep -E '^clang\+\+-[0-9]+$' | sort -t- -k2 -n | tail -1 || true)
    if [ -n "$newest" ] && printf '#include <version>\nint main() {}\n' | "$newest" -stdlib=libc++ -x c++ - -o /dev/null 2>/dev/null; then
        compilers+=("$newest -stdlib=libc++")
    fi
fi

switches=(
    ''
    '-DBOOST_ASIO_ENABLE_HANDLER_TRACKING'
    '-DBOOST_ASIO_DISABLE_THREADS'
    '-DBOOST_ASIO_DISABLE_EVENTFD'
    '-DBOOST_ASIO_NO_TYPEID'
    '-DBOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING'
    '-DBOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=4'
    '-DBOOST_ASIO_ENABLE_BUFFER_DEBUGGING'
    '-DBOOST_ASIO_DISABLE_TIMERFD'
    '-DBOOST_ASIO_DISABLE_FUTEX'
    '-DBOOST_ASIO_ENABLE_VERSION_NAMESPACE'
    '-DBOOST_ASIO_DISABLE_EPOLL'
    '-DBOOST_ASIO_DISABLE_EPOLL -DBOOST_ASIO_HAS_IO_URING'
    '-DSHAREDSOCK_ASIO_PUBLIC_REACTOR'
    '-DBOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT'
    '-DASIO_DETAIL_CONFIG_HPP' # as after <asio.hpp>
)

failed=0
launcher=$(command -v ccache || true)
sentence='sharedsock (needs|works with|knows) [^"]*|sharedsock_has_no_Asio_part_for_[A-Za-z0-9_]*'

version_of() { # include directory
    printf '#include <boost/version.hpp>\nBOOST_LIB_VERSION\n' | g++ ${1:+-I"$1"} -E -P -x c++ - | tail -1 | tr -d '"' | tr _ .
}

# Runs the cell's program, for another processor in an emulator.
run_program() {
    local emulator=()
    [[ $compiler != aarch64-linux-gnu-* ]] || emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
    timeout 60 "${emulator[@]}" "$cell/program"
}

# Sets `outcome`. The cell's files are in $cell, the library in $library.
try_cell() { # compiler, standard, include directory, switches
    local compiler=$1 log=$cell/log
    local flags=(-std="c++$2" -O0 -I "$PWD/include" -I "$library/include") words
    [ -z "$3" ] || flags+=(-isystem "$3")
    read -ra words <<<"$4"
    flags+=("${words[@]}")
    local libraries=(-lsharedsock -pthread)
    if [[ $4 == *BOOST_ASIO_HAS_IO_URING* ]]; then
        libraries+=(-luring)
        if [ ! -e /usr/include/liburing.h ]; then outcome='NOT TRIED: apt-get install liburing-dev'; return; fi
    fi
    # shellcheck disable=SC2086 # the compiler has its flags with it
    if ! $launcher $compiler "${flags[@]}" -Wfatal-errors -c tests/package/asio/main.cpp -o "$cell/main.o" >"$log" 2>&1; then
        if grep -qE "error: .*sharedsock (needs|works|knows)|#error" "$log" && [[ $(tr '\n' ' ' <"$log") =~ $sentence ]]; then
            outcome="compiler: ${BASH_REMATCH[0]}"
        else
            outcome="BAD: does not compile, see $log"; failed=1
        fi
        return
    fi
    # shellcheck disable=SC2086
    if $compiler "$cell/main.o" -o "$cell/program" -L "$library" "${libraries[@]}" >"$log" 2>&1; then
        if run_program >"$log" 2>&1; then outcome=works; else outcome="BAD: links and misbehaves, see $log"; failed=1; fi
        return
    fi
    if ! [[ $(<"$log") =~ $sentence ]]; then
        outcome="BAD: the linker says no sentence, see $log"; failed=1
        return
    fi
    # shellcheck disable=SC2086
    if $launcher $compiler "${flags[@]}" -c packaging/asio_source.cpp -o "$cell/source.o" >"$log" 2>&1 &&
        $compiler "$cell/main.o" "$cell/source.o" -o "$cell/program" -L "$library" "${libraries[@]}" >>"$log" 2>&1 &&
        run_program >>"$log" 2>&1; then
        outcome="linker: in words; works with its own Asio part"
    else
        outcome="BAD: linker: in words; not with its own Asio part, see $log"; failed=1
    fi
}

printf '%-34s %-4s %-7s %-62s %s\n' compiler C++ Boost 'switches of Asio' outcome
for compiler in "${compilers[@]}"; do
    read -ra command <<<"$compiler"
    slug=${compiler//[^a-zA-Z0-9]/_}
    cells=$out/$slug
    library=${built:-$cells}
    configure=(cmake -S . -B "$library" -G Ninja -D CMAKE_BUILD_TYPE="$build_type" -D CMAKE_CXX_COMPILER="${command[0]}"
        -D CMAKE_CXX_FLAGS="${command[*]:1}" -D SHAREDSOCK_BUILD_TESTS=OFF -D SHAREDSOCK_BUILD_EXAMPLES=OFF -D SHAREDSOCK_BUILD_COMMAND=OFF)
    mkdir -p "$cells"
    if [ -z "$built" ] &&
        ! { "${configure[@]}" && cmake --build "$library" --target sharedsock sharedsock_src_hpp; } >"$library/build.log" 2>&1; then
        printf '%-34s %s\n' "$compiler" "BAD: the library does not build, see $library/build.log"
        failed=1
        continue
    fi
    row=0
    for boost in "${boosts[@]}"; do
        version=$(version_of "$boost")
        for standard in "${standards[@]}"; do
            for with in "${switches[@]}"; do
                if [ $row -gt 0 ] && [ -n "$with" ] && ! $all_switches; then continue; fi
                cell=$(mktemp --directory "$cells/cell.XXXXXX")
                try_cell "$compiler" "$standard" "$boost" "$with"
                printf '%-34s %-4s %-7s %-62s %s\n' "$compiler" "$standard" "$version" "${with:--}" "$outcome"
                [[ $outcome == BAD* ]] || rm -rf "$cell"
            done
            row=$((row + 1))
        done
    done
done
if [ $failed -eq 0 ]; then say "each cell works or is refused in words"; else say "NOT each cell works or is refused in words"; fi
exit $failed
