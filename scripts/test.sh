#!/usr/bin/env bash
# Set-up, build, and all default tests. From a bare Debian 12 machine with 2 cores: under 40 minutes; again: a few.
# Arguments go to ctest, e.g. scripts/test.sh -R eval. Slow suites have labels (docs/testing.md) and are left out here.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --crosscheck
cmake --preset release -DLIKENESS_TORCH=ON -DLIKENESS_TESTS=ON > build.log 2>&1 || { cat build.log; exit 1; }
rm -f build.log
cmake --build build/release -j "${LIKENESS_JOBS:-2}"
ctest --test-dir build/release --output-on-failure -LE '^(slow|statistics|bench)$' "$@"
