#!/usr/bin/env bash
# Test on a Slurm cluster.
#
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#       tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
set -euo pipefail
source "$(dirname "$0")/_launch.sh"

at_least 4 $# 'PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]'
slurm "$1" "$2" "$TOOLS/test.py" "$3" "$4" "${@:5}"
