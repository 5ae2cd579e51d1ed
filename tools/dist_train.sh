#!/usr/bin/env bash
# Train with several processes, one for each GPU.
#
# Usage: bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# GPUS is the number of GPUs on this machine; on a machine without GPUs, it is
# the number of processes. With several machines, run it on each, with
#
# NNODES       number of machines (default: 1)
# NODE_RANK    number of this machine, from 0 (default: 0)
# MASTER_ADDR  address of machine 0 (default: 127.0.0.1)
# PORT         free port of machine 0 (default: 29500; any, with one machine)
# PYTHON       Python to run (default: the active one, else that of .venv)
#
# OMP_NUM_THREADS of each process is its share of the cores, unless it is set. If
# one process fails, the others are ended, and its error is the last line.

set -euo pipefail
# shellcheck source=tools/_common.sh
source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
check_arguments 2 "$@"
check_count GPUS "$2"
launch_torch "$2" train.py "$1" --launcher pytorch "${@:3}"
