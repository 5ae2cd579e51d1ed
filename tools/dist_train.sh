#!/usr/bin/env bash
# Train with several processes, one a GPU.
#
# Usage: bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# GPUS is the number on this machine; on a machine without any, the number of
# processes. Several machines: start it on each, with
#
# NNODES       how many there are (default: 1)
# NODE_RANK    which one this is, from 0 (default: 0)
# MASTER_ADDR  address of the one of rank 0 (default: 127.0.0.1)
# PORT         free port there (default: 29500; with one machine, any free one)
# PYTHON       Python to run (default: the active one, else that of .venv)
#
# OMP_NUM_THREADS of each process is its share of the cores, unless set. Where
# one process fails, the others are ended, and its error is the last line.

set -euo pipefail
# shellcheck source=tools/_common.sh
source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
check_arguments 2 "$@"
check_count GPUS "$2"
launch_torch "$2" train.py "$1" --launcher pytorch "${@:3}"
