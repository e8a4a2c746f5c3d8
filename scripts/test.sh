#!/usr/bin/env bash
# The test suite, from nothing: environment, style, rooms, tests.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: bash scripts/test.sh [pytest arguments]

Makes .venv from constraints.txt (or reuses it where it matches), then runs ruff, mypy, lint-imports (no room imports
from one above it) and pytest. Arguments go to pytest, for example: bash scripts/test.sh tests/auralign -k ridge
Tests run on all cores (pytest -n auto), unless -n or -p no:xdist is given. AURALIGN_DOCS=all also runs the commands
that README and docs show, the site with its examples, and the quickstart of an installed wheel: minutes more.
TEXT
}
case "${1:-}" in
    -h|--help) usage; exit 0 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/venv.sh
. scripts/venv.sh
make_venv

say "ruff"
ruff check .
ruff format --check .
say "mypy"
mypy
say "lint-imports"
lint-imports
say "pytest"
# many small networks: more threads would only wait for each other
export OMP_NUM_THREADS=1
case " $* " in
    *" -n"*|*" -p no:xdist "*|*" -p=no:xdist "*) workers=() ;;
    # a worker that is done takes tests from the end of another's list, so that fixtures are made once where possible
    *) workers=(-n auto --dist worksteal) ;;
esac
python -m pytest "${workers[@]}" "$@"
