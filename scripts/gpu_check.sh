#!/usr/bin/env bash
# Compares what a training step computes on this machine's GPU with what the CPU computes, and times whole steps. Builds what it needs
# from LibTorch and nvcc alone: no OpenCV, no HDF5, no network.
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/gpu_check.sh [--torch DIR] [--nvcc FILE] [--build DIR] [--jobs N] [--device cuda|cuda:N|cpu] [--quick] [--json] [--help]
                            [options of gpu_check: --only TEXT --tolerance F --no-speed --networks A,B --classes N,M --batch N --size N]
  --torch   folder with torch's include/ and lib/ (default: .deps/torch, else where `python3 -c 'import torch'` finds it)
  --nvcc    CUDA's compiler (default: nvcc on the path, $CUDA_HOME/bin, /usr/local/cuda/bin)
  --build   folder to build in (default: build/gpu)
  --jobs    compilers at once (default: the processor's cores, at most one per 2 GiB of memory)
  --device  what is checked (default cuda); cpu needs neither GPU nor nvcc, and checks the check
  --quick   few and small shapes, one network's speed: what to run first
  --json    one JSON object on stdout; everything else goes to stderr
Needs CMake 3.25, g++ 12 or newer, and ninja or make. Exit codes: 0 all passed; 1 a comparison failed; 2 wrong use; 5 something is
missing: a GPU, its driver, nvcc, torch, a build tool, or the build failed.
Example: scripts/gpu_check.sh --quick --json > gpu.json
TEXT
}
missing() {  # WHAT WHERE HINT
  printf 'gpu_check: %s\n  where:    %s\n  hint:     %s\n' "$1" "$2" "$3" >&2
  exit 5
}
from_start() { case $1 in /*) echo "$1" ;; *) echo "$start/$1" ;; esac; }

torch='' nvcc='' build=build/gpu jobs='' device=cuda
arguments=()
while [ $# -gt 0 ]; do
  name=${1%%=*}
  case $name in
    -h|--help) usage; exit 0 ;;
    --quick|--json|--no-speed) arguments+=("$1"); shift; continue ;;
    --torch|--nvcc|--build|--jobs|--device|--only|--tolerance|--networks|--classes|--batch|--size) ;;
    *) echo "gpu_check: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  if [ "$name" != "$1" ]; then value=${1#*=}; shift
  elif [ $# -ge 2 ]; then value=$2; shift 2
  else echo "gpu_check: $name needs a value" >&2; exit 2
  fi
  case $name in
    --torch) torch=$(from_start "$value") ;;
    --nvcc) nvcc=$(from_start "$value") ;;
    --build) build=$(from_start "$value") ;;
    --jobs) jobs=$value ;;
    --device) device=$value; arguments+=(--device "$value") ;;
    *) arguments+=("$name" "$value") ;;
  esac
done

# What is missing is said before anything is built.
if [ -z "$torch" ]; then
  torch=$PWD/.deps/torch
  if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
    torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null) || torch=''
  fi
fi
[ -n "$torch" ] && [ -e "$torch/lib/libtorch_cpu.so" ] && [ -e "$torch/include/ATen/ATen.h" ] ||
  missing "no LibTorch" "${torch:-.deps/torch, and python3 has no torch}" "scripts/setup.sh --gpu, or --torch DIR of a pip installation"
[ "$(basename "$torch")" = torch ] || missing "the folder of LibTorch must be called torch" "$torch" "CUDA's libraries are looked for beside it"
cuda=OFF
if [ "$device" != cpu ]; then
  cuda=ON
  if [ -z "$nvcc" ]; then
    nvcc=$(command -v nvcc || true)
    for folder in "${CUDA_HOME:-/usr/local/cuda}" /usr/local/cuda; do
      [ -n "$nvcc" ] || [ ! -x "$folder/bin/nvcc" ] || nvcc=$folder/bin/nvcc
    done
  fi
  [ -n "$nvcc" ] && [ -x "$nvcc" ] || missing "no nvcc" "${nvcc:-the path, CUDA_HOME, /usr/local/cuda}" "install the CUDA toolkit that torch was built with, or --nvcc FILE"
  [ -e "$torch/lib/libtorch_cuda.so" ] || missing "this torch has no CUDA" "$torch/lib/libtorch_cuda.so" "install a torch with CUDA, or --torch DIR"
  [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || missing "no NVIDIA GPU, or no driver" "/dev/nvidiactl" "--device cpu runs the check's own logic"
fi
for tool in cmake g++; do
  command -v "$tool" > /dev/null || missing "no $tool" "the path" "install CMake 3.25 and g++ 12 or newer"
done
generator=(-G "Unix Makefiles")
if command -v ninja > /dev/null; then generator=(-G Ninja); fi

if [ -z "$jobs" ]; then
  jobs=$(nproc)
  by_memory=$(awk '/^MemAvailable/ {print int($2 / 2097152)}' /proc/meminfo)
  [ "$jobs" -le "$by_memory" ] || jobs=$(( by_memory > 0 ? by_memory : 1 ))
fi
mkdir -p "$build"
log=$build/gpu_check.log
echo "gpu_check: building in $build (first time: a few minutes; log: $log)" >&2
began=$SECONDS
options=(-DCMAKE_BUILD_TYPE=Release -DLIKENESS_GPU_CHECK=ON -DLIKENESS_CUDA=$cuda "-DLIKENESS_DEPS=$(dirname "$torch")")
if [ $cuda = ON ]; then options+=("-DLIKENESS_NVCC=$nvcc"); fi
if ! { cmake -S . -B "$build" "${generator[@]}" "${options[@]}" && cmake --build "$build" -j "$jobs"; } > "$log" 2>&1; then
  tail -n 30 "$log" >&2
  missing "the build failed" "$log" "the last lines are above"
fi
echo "gpu_check: built in $((SECONDS - began)) s" >&2
exec "$build/bin/gpu_check" "${arguments[@]}"
