#!/usr/bin/env bash
# tests/fuzz.sh SECONDS [TARGET...]: builds the fuzzers with clang++ and runs each for so many seconds, as many at once as there are
# processors, from the corpus in tests/fuzz/corpus. The fuzzers write their findings to build/fuzz/findings/; put a finding into the
# corpus together with its fix.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

seconds=${1:?usage: tests/fuzz.sh SECONDS [ticket|message|restart|image|command_line]...}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(ticket message restart image command_line)

run_target() { # fails if it found something
    local target=$1
    mkdir -p "build/fuzz/corpus/$target"
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build/fuzz/tests/fuzz/fuzz_$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2500 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/findings/$target-" \
        "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"build/fuzz/$target.log" 2>&1
}
export -f run_target
export seconds

install_packages g++ cmake ninja-build clang
install_packages "libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev" # libFuzzer itself
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" --target "${targets[@]/#/fuzz_}"
mkdir -p build/fuzz/findings
failed=0
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I {} bash -c 'run_target {}' || failed=1
for target in "${targets[@]}"; do
    printf '\n== %s: %s s\n' "$target" "$seconds"
    grep -E 'stat::number_of_executed_units|stat::average_exec|SUMMARY|does not hold|ERROR' "build/fuzz/$target.log" || true
done
rm -rf /dev/shm/sharedsock-fuzz-*
exit $failed
