#!/usr/bin/env bash
# Train on several GPUs, or on several CPU processes where there is no GPU.
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# Several machines: start it on each with NNODES, NODE_RANK and MASTER_ADDR set.
# Several trainings on one machine: give each its own PORT (default: 29500).
set -euo pipefail
source "$(dirname "$0")/_launch.sh"

at_least 2 $# 'CONFIG GPUS [arguments of tools/train.py]'
existing config "$1"
whole_number GPUS "$2"
torch_dist "$2" "$TOOLS/train.py" "$1" "${@:3}"
