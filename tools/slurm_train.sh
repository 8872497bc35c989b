#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#       tools/slurm_train.sh PARTITION JOB_NAME CONFIG [WORK_DIR] [arguments of tools/train.py]
set -euo pipefail
source "$(dirname "$0")/_launch.sh"

at_least 3 $# 'PARTITION JOB_NAME CONFIG [WORK_DIR] [arguments of tools/train.py]'
rest=("${@:4}")
# MMDetection's script takes a work directory here, MMSegmentation's does not.
if [ $# -gt 3 ] && [ "${4#-}" = "$4" ]; then
    rest=(--work-dir "${rest[@]}")
fi
slurm "$1" "$2" "$TOOLS/train.py" "$3" "${rest[@]}"
