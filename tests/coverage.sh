#!/usr/bin/env bash
# tests/coverage.sh: builds the library for gcov, runs unit, process, asio, conformance and fault tests over it, and prints for
# each file of src/ and include/ how many of its lines and branches ran, and which lines did not. A process that is killed writes no
# counts, so lines that ran only there do not count. The whole report is in build/coverage/report.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

install_packages g++ gcc cmake ninja-build pkg-config catch2 libssl-dev openssl gcovr
labels=(unit process asio conformance fault)
cmake --preset coverage >/dev/null
cmake --build --preset coverage -j "$(nproc)" --target "${labels[@]/#/tests_}"
find build/coverage -name '*.gcda' -delete
ctest --preset coverage --parallel "$(nproc)" --label-regex "^($(IFS='|'; echo "${labels[*]}"))\$" --exclude-regex 'control|valgrind'

say "coverage of the library and its command"
gcovr --root . --filter src/ --filter include/ --exclude-unreachable-branches --exclude-throw-branches \
    --gcov-ignore-parse-errors --object-directory build/coverage --output build/coverage/report.txt build/coverage/CMakeFiles
cat build/coverage/report.txt
