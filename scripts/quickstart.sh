#!/usr/bin/env bash
# From nothing to a trained, judged and exported face-recognition model, on synthetic faces (no download of data):
# set-up, build of the programs, then make faces -> train -> verify and bias -> export ONNX -> parity -> HTML report.
# At most 20 minutes on 2 CPU cores from a bare Debian 12 machine, at most 5 once built. Output: quickstart/ (or the folder given).
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h|--help) sed -n '2,4p' "$0" | cut -c3-; echo "usage: scripts/quickstart.sh [OUTPUT-FOLDER]"; exit 0 ;; esac
out=${1:-quickstart}

scripts/setup.sh
cmake --preset release > "build-configure.log" 2>&1 || { cat build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build build/release --target programs -j "${LIKENESS_JOBS:-2}"
export PATH="$PWD/build/release/bin:$PATH"

step() { printf '\n== %s\n' "$*"; }
rm -rf "$out"
mkdir -p "$out"
started=$SECONDS

step "1/7 synthetic faces: 1,000 identities to learn from, 120 others to be judged on"
likeness data synth "$out/train.faces.h5" --identities 1000 --pictures 12 --size 64 --seed 1
likeness data synth "$out/test.faces.h5" --identities 120 --first-identity 10000 --pictures 10 --size 64 --seed 2 --pairs "$out/pairs.csv"
# The same people again, women's pictures blurred on purpose: the bias report has a known right answer.
likeness data synth "$out/blurred.faces.h5" --identities 120 --first-identity 10000 --pictures 10 --size 64 --seed 2 \
  --planted "gender=female:blur=3"

step "2/7 train (configs/synthetic_quick.yaml)"
likeness train configs/synthetic_quick.yaml --set "data=$out/train.faces.h5" --out "$out/run"

step "3/7 verify on identities never seen: the untrained network, then the trained one"
likeness train configs/synthetic_quick.yaml --set "data=$out/train.faces.h5" --set steps=0 --out "$out/untrained" --quiet
likeness eval verify "$out/untrained" "$out/test.faces.h5" --pairs "$out/pairs.csv" --convention insightface --out "$out/untrained.json" --quiet > /dev/null
likeness eval verify "$out/run" "$out/test.faces.h5" --pairs "$out/pairs.csv" --convention insightface --out "$out/verify.json"

step "4/7 demographic differentials, all pairs: here women must come out worse"
likeness eval bias "$out/run" "$out/blurred.faces.h5" --trials all --at fmr=1e-2 --by gender --out "$out/bias.json"

step "5/7 export ONNX (nothing is written unless independent engines agree)"
likeness export onnx "$out/run" "$out/model.onnx"

step "6/7 check the written file against the run"
likeness export check "$out/model.onnx" --against "$out/run"

step "7/7 report"
likeness eval report "$out/verify.json" "$out/bias.json" --out "$out/report.html"

accuracy() { python3 -c 'import json,sys; print("%.4f" % json.load(open(sys.argv[1]))["metrics"]["accuracy"]["value"])' "$1"; }
trained=$(accuracy "$out/verify.json") untrained=$(accuracy "$out/untrained.json")
printf '\nverification accuracy on identities never trained on: %s (untrained network: %s)\n' "$trained" "$untrained"
printf 'time since the programs were built: %d:%02d\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
python3 -c 'import sys; t, u = map(float, sys.argv[1:]); sys.exit(0 if t > 0.95 and t > u + 0.05 else 1)' "$trained" "$untrained" ||
  { echo "quickstart: expected more than 0.95, and well above the untrained network" >&2; exit 1; }
cat <<TEXT
model:  $out/model.onnx
report: $out/report.html   (open it in a browser)
next:   export PATH="$PWD/build/release/bin:\$PATH"
        likeness --help
        likeness data import FOLDER-OF-PEOPLE my.faces.h5   # then: likeness train configs/celeba64_mbf.yaml --set data=my.faces.h5
TEXT
