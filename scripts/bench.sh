#!/usr/bin/env bash
# Runs the benchmark programs; each checks its answer before it times it, and prints ratios where it has a reference beside it.
#   scripts/bench.sh [eval|head|import|loader|step]…     (default: all that are built; other options go to Google Benchmark through BENCH_ARGS)
# Timings mean something only on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h|--help) sed -n '2,4p' "$0" | cut -c3-; exit 0 ;; esac
bin=build/release/bin
[ -x $bin/likeness ] || { echo "bench: build first: cmake --preset release && cmake --build build/release" >&2; exit 2; }
[ $# -gt 0 ] || set -- import loader eval head step
for name in "$@"; do
  [ -x "$bin/${name}_bench" ] || { echo "bench: there is no $bin/${name}_bench in this build" >&2; exit 2; }
  printf '\n== %s\n' "$name"
  # shellcheck disable=SC2086
  "$bin/${name}_bench" ${BENCH_ARGS:-}
done
