#!/usr/bin/env bash
# What the recipe of 50,000 small pictures reaches on faces never seen, and what each choice in it changes: one table.
#   LIKENESS_FACES=FOLDER scripts/reproduce_celeba64.sh [--out FOLDER] [--steps N] [--list] [ROW]…     (default: all rows, reproduce/)
# Every row is one training run of 3,905 steps (about 45 minutes on 2 cores), judged on LFW (10 folds) and on all pairs of celeba64-dev with flip.
# It may be stopped at any time: started again it goes on where it was, and rows that are done are only read. --steps N is for trying it out.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD out=reproduce steps=() list=false rows=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,5p' "$0" | cut -c3-; exit 0 ;;
    --out) out=$2; shift 2 ;;
    --steps) steps=(--set "steps=$2"); shift 2 ;;
    --list) list=true; shift ;;
    -*) echo "reproduce: unknown option $1 (--help)" >&2; exit 2 ;;
    *) rows+=("$1"); shift ;;
  esac
done

# The settings of a row, beside configs/celeba64_mbf.yaml.
settings() {
  case "$1" in  # no blanks in a value
    f32-[1-9]) echo "seed=${1#f32-}" ;;
    bf16-[1-9]) echo "seed=${1#bf16-} precision=bf16" ;;
    arcface) echo "head.loss=arcface head.margin=0.2" ;;
    adaface) echo "head.loss=adaface head.margin=0.2" ;;
    sub-centers) echo "head.sub_centers=3" ;;
    partial) echo "head.sample_rate=0.3" ;;
    ema) echo "ema.decay=0.999" ;;
    distilled) echo "distill.teacher=$LIKENESS_FACES/third-party/mobilefacenet-128d.onnx distill.preprocess=mean=123.675,116.28,103.53;std=58.395,57.12,57.375;order=rgb distill.geometry=arcface" ;;
    *) return 1 ;;
  esac
}
all=(f32-1 f32-2 f32-3 bf16-1 bf16-2 bf16-3 arcface adaface sub-centers partial ema distilled)
if $list; then printf '%s\n' "${all[@]}"; exit 0; fi
: "${LIKENESS_FACES:?set LIKENESS_FACES to the folder that holds celeba64-train, celeba64-dev and lfw}"
[ ${#rows[@]} -gt 0 ] || rows=("${all[@]}")
for row in "${rows[@]}"; do settings "$row" > /dev/null || { echo "reproduce: there is no row $row (--list)" >&2; exit 2; }; done
export PATH="$root/build/release/bin:$PATH"
command -v likeness > /dev/null || { echo "reproduce: build first: scripts/quickstart.sh" >&2; exit 2; }

mkdir -p "$out"
cd "$out"
[ -e celeba64.faces.h5 ] || likeness data import "$LIKENESS_FACES/celeba64-train" celeba64.faces.h5 \
  --attributes "$LIKENESS_FACES/celeba64-train/images.csv" --points "20.1,33.2 43.3,33.2 31.4,47.4 21.9,57.5 41.5,57.5"
[ -e lfw.faces.h5 ] || likeness data import "$LIKENESS_FACES/lfw" lfw.faces.h5 --landmarks "$LIKENESS_FACES/lfw/landmarks.csv"
[ -e dev.faces.h5 ] || likeness data import "$LIKENESS_FACES/celeba64-dev" dev.faces.h5 --points "20.1,33.2 43.3,33.2 31.4,47.4 21.9,57.5 41.5,57.5"

for row in "${rows[@]}"; do
  if [ ! -e "$row/DONE" ]; then
    set=()
    for s in $(settings "$row"); do set+=(--set "$s"); done
    printf '\n== %s: %s\n' "$row" "$(settings "$row")"
    likeness train "$root/configs/celeba64_mbf.yaml" "${set[@]}" "${steps[@]}" --out "$row" --resume
  fi
  [ -e "$row.lfw.json" ] || likeness eval verify "$row" lfw.faces.h5 --pairs "$LIKENESS_FACES/lfw/pairs.txt" --convention insightface --out "$row.lfw.json"
  [ -e "$row.dev.json" ] || likeness eval verify "$row" dev.faces.h5 --trials all --flip sum --convention fixed-fmr --out "$row.dev.json"
done

python3 - "${all[@]}" <<'TABLE' | tee table.md
import json, os, statistics, sys
print("| row | LFW, 10 folds | TAR at FMR 1e-2 | at 1e-3 | minutes of training |\n|---|---|---|---|---|")
print("| arcface_torch's own parts, one seed | 80.9 % | 37.9 % | 16.6 % | 45 |")
found = {}
for row in sys.argv[1:]:
    if not all(os.path.exists(f"{row}{end}") for end in ("/DONE", ".lfw.json", ".dev.json")):
        continue
    lfw, dev = (json.load(open(f"{row}.{name}.json"))["metrics"] for name in ("lfw", "dev"))
    figures = [100 * lfw["accuracy"]["value"]] + [100 * (dev[m]["value"] or float("nan")) for m in ("tar@fmr=1e-2", "tar@fmr=1e-3")]
    figures.append(json.load(open(f"{row}/DONE"))["seconds"] / 60)
    found[row] = figures
    print("| %s | %.2f %% | %.2f %% | %.2f %% | %.0f |" % (row, *figures))
for kind in ("f32", "bf16"):
    seeds = [f for row, f in found.items() if row.startswith(kind + "-")]
    if len(seeds) > 1:
        print("| mean of %d seeds, %s | %.2f %% | %.2f %% | %.2f %% | %.0f |" % (len(seeds), kind, *map(statistics.mean, zip(*seeds))))
TABLE
