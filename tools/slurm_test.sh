#!/usr/bin/env bash
# Test under Slurm, one process for each GPU.
#
# Usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [args]
#
# args go to tools/test.py. The variables: bash tools/slurm_train.sh --help

set -euo pipefail
# shellcheck source=tools/_common.sh
source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
check_arguments 4 "$@"

launch_slurm "$1" "$2" test.py "$3" "$4" --launcher slurm "${@:5}"
