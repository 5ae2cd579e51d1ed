#!/usr/bin/env bash
# Set up the environment, where that is still to be done, and run the tests.
#
# Usage: bash tools/run_tests.sh [arguments of pytest]
#
# Without arguments: -m "not slow". All tests: -m "slow or not slow". Paths
# are relative to the checkout. Each core runs tests of its own, at most four
# of them; -n 0 has one process run all. tools/setup_env.sh says what can be
# set.

set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=tools/_common.sh
source "$root/tools/_common.sh"
check_arguments 0 "$@"
# shellcheck source=tools/setup_env.sh
source "$root/tools/setup_env.sh"

cd "$root"
(($#)) || set -- -m 'not slow'
# Tests share the cores: one thread each, in what they start too.
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
