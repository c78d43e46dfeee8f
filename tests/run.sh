#!/usr/bin/env bash
# Installs the packages, builds sharedsock and runs its tests; an empty machine is enough.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

usage() {
    cat <<'TEXT'
usage: tests/run.sh [option...] [-- ctest argument...]

  --preset NAME     a preset of CMakePresets.json; dev if not given
  --all-presets     dev, debug, clang, asan and tsan, one after the other
  --only LABEL      builds and runs only the tests with this ctest label; may be given several times:
                    unit, process, asio, fault, conformance, deployment, model, fuzz, example, package
  --conformance     --only conformance, and at the end a list of all rules of docs/semantics.md with the results of
                    their tests; a rule without a test is a failure
  --install-check   --only package: use the installed library from a separate project
  --tidy            no tests: runs clang-tidy over src/ and the headers (.clang-tidy has its checks); fails on a finding
  --werror          warnings are errors, as in CI; without it a newer compiler than those of .ci/run may warn
  --long            more rounds in the tests that have rounds, and ten times the time limits
  --help            this text

The arguments after -- go to ctest as they are: tests/run.sh -- -R unit --verbose
TEXT
}

presets=(dev)
labels=()
matrix=false
tidy=false
ctest_arguments=()
timeout_factor=1
werror=OFF
slots=$((2 * $(nproc))) # a test that waits leaves its processor to another; one that only computes takes two slots (PROCESSORS)

while [ $# -gt 0 ]; do
    case "$1" in
        --preset) presets=("${2:?--preset needs a name}"); shift ;;
        --all-presets) presets=(dev debug clang asan tsan) ;;
        --only) labels+=("${2:?--only needs a label}"); shift ;;
        --conformance) labels+=(conformance); matrix=true ;;
        --tidy) tidy=true ;;
        --werror) werror=ON ;;
        --install-check) labels+=(package) ;;
        --long) export SHAREDSOCK_TEST_LONG=1; timeout_factor=10 ;;
        --help | -h) usage; exit 0 ;;
        --) shift; ctest_arguments=("$@"); break ;;
        *) usage >&2; printf '\nunknown option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done

# The targets that the wanted tests need: a label's own target if it has one, else everything.
targets() {
    local label
    for label in "${labels[@]}"; do
        case "$label" in
            unit | process | asio | fault | conformance | deployment | fuzz) echo "tests_$label" ;;
            model) ;; # spin compiles the models
            *) echo all ;;
        esac
    done
    if [ ${#labels[@]} -eq 0 ]; then
        echo all
        case "$1" in
            asan | ubsan | tsan) ;;
            *) echo all_verify_interface_header_sets ;; # shows that every public header compiles alone
        esac
    fi
}

run_preset() {
    local preset=$1 selection=() wanted
    say "configure $preset"
    cmake --preset "$preset" -D SHAREDSOCK_TEST_TIMEOUT_FACTOR="$timeout_factor" -D SHAREDSOCK_WERROR="$werror"

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
        ctest --preset "$preset" --parallel "$slots" --output-on-failure "${selection[@]}" "${ctest_arguments[@]}"
        return
    fi
    local passed=true
    ctest --preset "$preset" --parallel "$slots" --output-on-failure "${selection[@]}" --exclude-regex '^conformance\.matrix$' "${ctest_arguments[@]}" || passed=false
    say "rules $preset"
    local verdict=0
    "build/$preset/tests/conformance_matrix" docs/semantics.md "build/$preset/tests/conformance_tests.results" || verdict=$?
    [ "$verdict" -eq 0 ] || [ "$verdict" -eq 4 ] || passed=false # 4: some rules are proven only in part, as it has printed
    $passed
}

run_tidy() {
    say "configure tidy"
    cmake --preset tidy
    say "clang-tidy"
    # The public templates are covered by the sources with which CMake shows that a header compiles alone.
    run-clang-tidy -p build/tidy -quiet -j "$(nproc)" \
        '/(src/.*\.cpp|Unity/.*\.cxx)$' '/sharedsock/(asio|asio/beast|prefork|sharedsock|winsock)\.hpp\.cxx$'
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
