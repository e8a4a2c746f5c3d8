#!/usr/bin/env bash
# The whole flow on the built-in synthetic study, from nothing: environment, dataset, features, comparison, report.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: bash scripts/quickstart.sh [--help]

Runs the main job on the built-in synthetic study ("phantom"): makes .venv from constraints.txt, builds the DataLad
dataset, extracts features of a small seeded network and of a log-mel spectrum with junifer, compares ridge and lasso
on six components with julearn, and writes results/quickstart/report.html. What an earlier run finished is kept.
Takes minutes to install and up to three minutes to run on 2 cores. Needs Debian (or git and Python 3.11 or 3.12
with venv) and a package registry; no GPU.
TEXT
}
case "${1:-}" in
    -h|--help) usage; exit 0 ;;
    "") ;;
    *) usage >&2; exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/venv.sh
. scripts/venv.sh
make_venv

started=$SECONDS
say "1/5 dataset: 165 synthetic sounds and their responses"
python scripts/build_datasets.py phantom --get
say "2/5 features: junifer run junifer_yamls/quickstart.yml"
# the network is so small that more threads would only wait for each other
OMP_NUM_THREADS=1 junifer run junifer_yamls/quickstart.yml --verbose warning
say "3/5 features: junifer collect junifer_yamls/quickstart.yml"
# its nested progress bars are only worth reading when something goes wrong
collect_log=$(mktemp)
junifer collect junifer_yamls/quickstart.yml --verbose warning >"$collect_log" 2>&1 || { cat "$collect_log" >&2; exit 1; }
rm -f "$collect_log"
say "4/5 comparison: scripts/compare.py julearn_configs/quickstart.yml"
python scripts/compare.py julearn_configs/quickstart.yml >/dev/null
say "5/5 report: scripts/report.py results/quickstart"
python scripts/report.py results/quickstart
say "done in $((SECONDS - started)) s; open results/quickstart/report.html"
