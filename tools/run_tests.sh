#!/usr/bin/env bash
# Lint, types and tests, in an environment that is made if need be; and the tests of the geometry
# with the oldest torch, in another.
#
#   bash tools/run_tests.sh [arguments of pytest]
set -euo pipefail
source "$(dirname "$0")/_env.sh"

prepare_environment tests
cd "$ROOT"

failed=()
check() {
    say "$*"
    "$PYTHON" -m "$@" || failed+=("$1")
}
check ruff check .
check ruff format --check .
check mypy
if [ $# -gt 0 ]; then
    check pytest "$@"
else
    # One thread per process: two processes with two threads each on two cores wait for each other.
    OMP_NUM_THREADS=1 check pytest -n logical --maxprocesses 4 --dist loadfile
fi

# Arguments choose tests; the oldest torch belongs to the whole suite. torch.compile came to Python
# 3.11 with torch 2.1. conftest.py needs the MM libraries.
if [ $# -gt 0 ]; then
    say 'not the geometry with the oldest torch: this is a part of the suite'
elif prepare_oldest; then
    PYTHON="$OLDEST/bin/python"
    check pytest -q --noconftest -p no:cacheprovider tests/test_warps lzu_mm/warps -k 'not compiles'
else
    failed+=("$OLDEST")
fi

[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
say 'all passed'
