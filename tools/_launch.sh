# Sourced by dist_*.sh and slurm_*.sh: starts one process per GPU.

TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"

# at_least COUNT GIVEN USAGE: stops with the usage if fewer arguments were given.
at_least() { [ "$2" -ge "$1" ] || { echo "usage: $0 $3" >&2; exit 2; }; }

# whole_number NAME VALUE: stops unless the value is 1 or more.
whole_number() {
    case "$2" in
    '' | *[!0-9]* | 0*) echo "error: $1 must be a whole number, 1 or more, not '$2'" >&2; exit 2 ;;
    esac
}

# existing WHAT PATH: stops unless there is such a file; what has :// or :: is no path.
existing() {
    case "$2" in *://* | *::*) return ;; esac
    [ -f "$2" ] || { echo "error: no $1 at $2" >&2; exit 2; }
}

# torch_dist PROCESSES SCRIPT [arguments]
torch_dist() {
    local processes="$1"; shift
    whole_number NNODES "${NNODES:-1}"
    whole_number PORT "${PORT:-29500}"
    exec "${PYTHON:-python}" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
        "$@" --launcher pytorch
}

# slurm PARTITION JOB_NAME SCRIPT [arguments]
slurm() {
    local partition="$1" job_name="$2"; shift 2
    local gpus="${GPUS:-8}"
    whole_number GPUS "$gpus"
    local per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    whole_number GPUS_PER_NODE "$per_node"
    whole_number CPUS_PER_TASK "${CPUS_PER_TASK:-5}"
    command -v srun >/dev/null || { echo 'error: no srun: is this a Slurm cluster?' >&2; exit 2; }
    # shellcheck disable=SC2086  # SRUN_ARGS may hold several words
    exec srun --partition="$partition" --job-name="$job_name" --gres="gpu:$per_node" \
        --ntasks="$gpus" --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "${PYTHON:-python}" -u "$@" --launcher slurm
}
