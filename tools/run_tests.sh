#!/usr/bin/env bash
# Set up the environment, if it is missing, and run the tests.
#
# Usage: bash tools/run_tests.sh [arguments of pytest]
#
# Without arguments: -m "not slow". All tests: -m "slow or not slow". Paths
# are relative to the checkout. One process for each core runs tests, but at most
# four; -n 0 runs all in one process. The variables are those of
# tools/setup_env.sh.

set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=tools/_common.sh
source "$root/tools/_common.sh"
check_arguments 0 "$@"
# shellcheck source=tools/setup_env.sh
source "$root/tools/setup_env.sh"

cd "$root"
(($#)) || set -- -m 'not slow'
# Tests share the cores: one thread for each, also in the processes they start.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
workers=(-n logical --maxprocesses 4 --dist worksteal)
printf '[tests] python -m pytest%s\n' "$(printf ' %q' "${workers[@]}" "$@")"
status=0
"$PYTHON" -m pytest "${workers[@]}" "$@" || status=$?
if ((status)); then
    echo "[tests] failed (status $status): mend what the summary above" \
        'names, then repeat: bash tools/run_tests.sh --last-failed' >&2
fi
exit "$status"
