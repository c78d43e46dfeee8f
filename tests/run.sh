#!/usr/bin/env bash
# Builds sharedsock and runs its tests: everything that is needed, from an empty machine to ctest's last line.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

usage() {
    cat <<'TEXT'
usage: tests/run.sh [option...] [-- ctest argument...]

  --preset NAME     a preset of CMakePresets.json; dev if not given
  --all-presets     dev, debug, clang, asan and tsan, one after the other
  --only LABEL      only the tests with this ctest label, and build only what they need;
                    may be given several times: unit, process, asio, fault, conformance, model, fuzz, example, package
  --conformance     --only conformance, and at the end a list of all rules of docs/semantics.md with what came of
                    their tests; a rule without a test is a failure
  --install-check   --only package: use the installed library from a separate project
  --tidy            no tests: clang-tidy (.clang-tidy says what it looks for) over src/ and the headers; fails on a finding
  --long            more rounds in the tests that have them, and ten times their time limits
  --help            this text

What follows -- goes to ctest as it is: tests/run.sh -- -R unit --verbose
TEXT
}

presets=(dev)
labels=()
matrix=false
tidy=false
ctest_arguments=()
timeout_factor=1

while [ $# -gt 0 ]; do
    case "$1" in
        --preset) presets=("${2:?--preset needs a name}"); shift ;;
        --all-presets) presets=(dev debug clang asan tsan) ;;
        --only) labels+=("${2:?--only needs a label}"); shift ;;
        --conformance) labels+=(conformance); matrix=true ;;
        --tidy) tidy=true ;;
        --install-check) labels+=(package) ;;
        --long) export SHAREDSOCK_TEST_LONG=1; timeout_factor=10 ;;
        --help | -h) usage; exit 0 ;;
        --) shift; ctest_arguments=("$@"); break ;;
        *) usage >&2; printf '\nunknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done

# What the wanted tests need: a label's own target where it has one, everything for those that use the whole build.
targets() {
    local label
    for label in "${labels[@]}"; do
        case "$label" in
            unit | process | asio | fault | conformance | fuzz) echo "tests_$label" ;;
            model) ;; # nothing of ours is compiled for it
            *) echo all ;;
        esac
    done
    if [ ${#labels[@]} -eq 0 ]; then
        echo all
        case "$1" in
            asan | ubsan | tsan) ;;
            *) echo all_verify_interface_header_sets ;; # every public header compiles alone
        esac
    fi
}

run_preset() {
    local preset=$1 selection=() wanted
    say "configure $preset"
    cmake --preset "$preset" -D SHAREDSOCK_TEST_TIMEOUT_FACTOR="$timeout_factor"

    mapfile -t wanted < <(targets "$preset")
    if [ ${#wanted[@]} -gt 0 ]; then
        say "build $preset: ${wanted[*]}"
        cmake --build --preset "$preset" -j "$(nproc)" --target "${wanted[@]}"
    fi

    if [ ${#labels[@]} -gt 0 ]; then
        selection=(--label-regex "^($(IFS='|'; echo "${labels[*]}"))\$")
    fi
    say "test $preset${labels[*]:+: ${labels[*]}}"
    if ! $matrix; then
        ctest --preset "$preset" --parallel "$(nproc)" --output-on-failure "${selection[@]}" "${ctest_arguments[@]}"
        return
    fi
    local passed=true
    ctest --preset "$preset" --parallel "$(nproc)" --output-on-failure "${selection[@]}" --exclude-regex '^conformance\.matrix$' "${ctest_arguments[@]}" || passed=false
    say "rules $preset"
    "build/$preset/tests/conformance_matrix" docs/semantics.md "build/$preset/tests/conformance.results" || passed=false
    $passed
}

run_tidy() {
    say "configure tidy"
    cmake --preset tidy
    say "clang-tidy"
    # The public templates come in through the sources that CMake makes to see whether a header compiles alone.
    run-clang-tidy -p build/tidy -quiet -j "$(nproc)" \
        '/src/.*\.cpp$' '/sharedsock/(asio|asio/beast|prefork|sharedsock|winsock)\.hpp\.cxx$'
}

needed=(g++ gcc cmake ninja-build pkg-config catch2 spin libssl-dev openssl)
case " ${presets[*]} " in *" clang "*) needed+=(clang) ;; esac
! $tidy || needed+=(clang clang-tidy)
install_packages "${needed[@]}"
if $tidy; then
    run_tidy
    exit
fi
for preset in "${presets[@]}"; do
    run_preset "$preset"
done
