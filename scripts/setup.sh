#!/usr/bin/env bash
# Installs what a bare Debian 12 machine lacks: Debian packages, and LibTorch and OpenVINO from hash-checked wheels under .deps/.
# Safe to run again: what is there is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
deps=${LIKENESS_DEPS:-$root/.deps}
req=$root/scripts/requirements

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--without-torch] [--gpu] [--crosscheck] [--help]
  --without-torch  leave LibTorch out: enough for the preset eval-onnx (data, eval and export, no training)
  --gpu            also the CUDA libraries that libtorch_cuda.so needs (2 GB); without it training runs on the CPU
  --crosscheck     also a Python environment with onnx, onnxruntime and h5py, which some tests compare with
Needs Debian 12 (or a relative) on x86-64. LIKENESS_DEPS names another folder than .deps for the wheels.
TEXT
}
torch=1 gpu=0 crosscheck=0
for a in "$@"; do
  case $a in
    --without-torch) torch=0 ;;
    --gpu) gpu=1 ;;
    --crosscheck) crosscheck=1 ;;
    -h|--help) usage; exit 0 ;;
    *) echo "setup: unknown option $a" >&2; usage >&2; exit 2 ;;
  esac
done
say() { printf 'setup: %s\n' "$*"; }
[ "$(uname -m)" = x86_64 ] || { echo "setup: this is $(uname -m); the pinned wheels are for x86_64" >&2; exit 5; }

# Debian packages.
missing=()
while read -r name _; do
  case $name in ''|\#*) continue ;; esac
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
done < "$req/debian.txt"
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "setup: these Debian packages are missing: ${missing[*]}" >&2
    echo "setup: install them with:  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 5
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
else
  say "Debian packages: all there"
fi

# Wheels: downloaded by hash, unpacked side by side as in site-packages, because their libraries find each other that way.
mkdir -p "$deps"
unpack() {  # NAME REQUIREMENTS: unpacks each wheel into $deps unless the stamp of these requirements is there
  local name=$1 file=$2 stamp tmp
  stamp=$deps/.$name-$(sha256sum < "$file" | cut -c1-16)
  if [ -e "$stamp" ]; then say "$name: there"; return; fi
  say "$name: downloading and unpacking under ${deps/#$root\//}"
  tmp=$(mktemp -d "$deps/.wheels.XXXXXX")
  trap 'rm -rf "$tmp"' RETURN
  python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d "$tmp" -r "$file"
  python3 - "$deps" "$tmp"/*.whl <<'PY'
import os, sys, zipfile
target = sys.argv[1]
skip = ("torch/bin/", "torch/_inductor/", "torch/testing/", "torch/lib/libtorch_python.so", "torch/test/", "torchgen/", "functorch/")
for wheel in sys.argv[2:]:
    with zipfile.ZipFile(wheel) as z:
        for info in z.infolist():
            n = info.filename
            if n.startswith(skip) or n.endswith((".py", ".pyi", ".pyc")) or ".dist-info/" in n and not n.endswith(("METADATA",)) and "licenses" not in n.lower():
                continue
            if not info.is_dir():
                z.extract(info, target)
PY
  rm -f "$deps/.$name"-*
  touch "$stamp"
}
unpack openvino "$req/openvino.txt"
if [ $torch = 1 ]; then unpack torch "$req/torch.txt"; fi
if [ $gpu = 1 ]; then unpack gpu "$req/gpu.txt"; fi

if [ $crosscheck = 1 ]; then
  stamp=$deps/python/.$(sha256sum < "$req/crosscheck.txt" | cut -c1-16)
  if [ -e "$stamp" ]; then
    say "cross-check Python: there"
  elif [ "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != 3.11 ]; then
    say "cross-check Python: left out, its pinned wheels are for Python 3.11 (the tests that use it will say skipped)"
  else
    say "cross-check Python: creating"
    rm -rf "$deps/python"
    python3 -m venv "$deps/python"
    "$deps/python/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: -r "$req/crosscheck.txt"
    touch "$stamp"
  fi
fi
say "done"
