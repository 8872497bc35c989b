#!/usr/bin/env bash
# Checks and times the zoom on a GPU; needs torch and torchvision, and nothing of MM.
#
#     bash benchmarks/gpu.sh --out gpu.json
#     bash benchmarks/gpu.sh --parts checks sync cost --minutes 2
#     bash benchmarks/gpu.sh --device cpu --quick
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python3}" -u -m gpu "$@"
