#!/usr/bin/env bash
# Train under Slurm, one process for each GPU.
#
# Usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [args]
#
# args go to tools/train.py. Variables:
#
# GPUS           number of GPUs in all (default: 8)
# GPUS_PER_NODE  number on each machine (default: 8, or GPUS if that is less)
# CPUS_PER_TASK  CPU cores for each process (default: 5)
# SRUN_ARGS      more arguments of srun, such as '--time 2-0 --exclude n7'
# PYTHON         Python to run (default: the active one, else that of .venv)

set -euo pipefail
# shellcheck source=tools/_common.sh
source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
check_arguments 4 "$@"

launch_slurm "$1" "$2" train.py "$3" --launcher slurm --work-dir "$4" \
    "${@:5}"
