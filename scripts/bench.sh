#!/usr/bin/env bash
# Runs the benchmark programs; each checks its answer before it times it.
#   scripts/bench.sh [eval|head|identify|import|loader|ranks|step]…     (default: all; options go to Google Benchmark through BENCH_ARGS)
#   scripts/bench.sh train [--peer DIR] [--python PYTHON]      step and head: each part's share of a step and of this machine's limit, and
#                                                              ratios to arcface_torch in the same run: DIR is a work tree of
#                                                              deepinsight/insightface (or $LIKENESS_PEER), PYTHON has PyTorch and timm
# Timings mean something only on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h|--help) sed -n '2,7p' "$0" | cut -c3-; exit 0 ;; esac
fail() { echo "bench: $1" >&2; exit 2; }
bin=build/release/bin
[ -x $bin/likeness ] || fail "build first: cmake --preset release && cmake --build build/release"

peer=${LIKENESS_PEER:-} python=python3 names=()
while [ $# -gt 0 ]; do
  case $1 in
    --peer) peer=${2:?--peer DIR}; shift ;;
    --python) python=${2:?--python PYTHON}; shift ;;
    train) names+=(step head) compare=1 ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || names=(import loader eval identify head step ranks)

figures=()  # --peer=FILE once there is one
measure_peer() {
  if [ -z "$peer" ]; then
    echo "bench: no --peer DIR and no LIKENESS_PEER: figures of likeness only" >&2
    return
  fi
  [ -d "$peer/recognition/arcface_torch" ] || fail "$peer: no work tree of deepinsight/insightface"
  "$python" -c 'import torch' 2>/dev/null || fail "$python has no PyTorch: --python PYTHON names one that does"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  printf '\n== arcface_torch\n'
  # shellcheck disable=SC2046,SC2086
  "$python" tests/bench/arcface_torch.py "$peer" 2 $(for name in step head; do
    "$bin/${name}_bench" ${BENCH_ARGS:-} --benchmark_list_tests 2>/dev/null | sed 's,/iterations.*,,'
  done) | tee "$scratch/peer"
  figures=("--peer=$scratch/peer")
}

for name in "${names[@]}"; do
  [ -x "$bin/${name}_bench" ] || fail "there is no $bin/${name}_bench in this build"
done
[ -z "${compare:-}" ] || measure_peer
for name in "${names[@]}"; do
  printf '\n== %s\n' "$name"
  options=()
  case $name in step|head) options=(${figures[@]+"${figures[@]}"}) ;; esac
  # shellcheck disable=SC2206
  [ "$name" = ranks ] || options+=(${BENCH_ARGS:-})
  "$bin/${name}_bench" ${options[@]+"${options[@]}"}
done
