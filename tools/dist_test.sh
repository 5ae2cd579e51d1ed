#!/usr/bin/env bash
# Test with several processes, one for each GPU.
#
# Usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [args of tools/test.py]
#
# The meaning of GPUS and the variables: bash tools/dist_train.sh --help

set -euo pipefail
# shellcheck source=tools/_common.sh
source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
check_arguments 3 "$@"
check_count GPUS "$3"
launch_torch "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
