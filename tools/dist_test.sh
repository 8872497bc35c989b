#!/usr/bin/env bash
# Test on several GPUs, or on several CPU processes where there is no GPU.
#
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
#
# NNODES, NODE_RANK, MASTER_ADDR and PORT as in dist_train.sh.
set -euo pipefail
source "$(dirname "$0")/_launch.sh"

at_least 3 $# 'CONFIG CHECKPOINT GPUS [arguments of tools/test.py]'
existing config "$1"
existing checkpoint "$2"
whole_number GPUS "$3"
torch_dist "$3" "$TOOLS/test.py" "$1" "$2" "${@:4}"
