#!/usr/bin/env bash
# Lint, types and tests, in an environment that is made if need be.
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
check pytest "$@"

[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
say 'all passed'
