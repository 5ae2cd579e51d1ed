# Functions that the shell tools share; they source this file.
# shellcheck shell=bash

# The comment at the top of the running script, without its marks.
print_help() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

# check_arguments COUNT "$@": print the help if it is asked for; print the usage
# line and exit with status 2 if there are fewer than COUNT arguments.
check_arguments() {
    local count="$1"
    shift
    case "${1:-}" in
        -h | --help) print_help && exit 0 ;;
    esac
    if (($# < count)); then
        print_help | grep '^Usage' >&2
        exit 2
    fi
}

# check_count NAME VALUE: exit with status 2 unless VALUE is a positive integer.
check_count() {
    if [[ ! "$2" =~ ^[1-9][0-9]*$ ]]; then
        printf 'error: %s must be a positive integer, got %s\n' "$1" "$2" >&2
        print_help | grep '^Usage' >&2
        exit 2
    fi
}

# Set PYTHON: the given one, else the first of the active one and the
# checkout's that has torch.
find_python() {
    local root candidate
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
    # This checkout's mmldm, wherever the environment's points to.
    export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
    [[ -z "${PYTHON:-}" ]] || return 0
    local has_torch='import importlib.util as util, sys
sys.exit(util.find_spec("torch") is None)'
    for candidate in python "${MMLDM_VENV:-$root/.venv}/bin/python"; do
        if "$candidate" -c "$has_torch" 2>/dev/null; then
            PYTHON="$candidate"
            return 0
        fi
    done
    echo 'error: no Python with torch found; make one (bash' \
        'tools/setup_env.sh), activate yours, or set PYTHON to it' >&2
    exit 1
}

# launch_torch GPUS SCRIPT ARGUMENTS...: run SCRIPT of tools/ in GPUS processes.
launch_torch() {
    local tools
    tools="$(dirname "${BASH_SOURCE[0]}")"
    find_python
    exec "$PYTHON" "$tools/launch.py" "$1" "$tools/$2" "${@:3}"
}

# launch_slurm PARTITION JOB_NAME SCRIPT ARGUMENTS...: run SCRIPT of tools/ by
# srun.
launch_slurm() {
    local gpus="${GPUS:-8}"
    check_count GPUS "$gpus"
    local gpus_per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    find_python
    # SRUN_ARGS holds several arguments, hence no quotes.
    # shellcheck disable=SC2086
    exec srun \
        --partition "$1" \
        --job-name "$2" \
        --gres "gpu:$gpus_per_node" \
        --ntasks "$gpus" \
        --ntasks-per-node "$gpus_per_node" \
        --cpus-per-task "${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        "$PYTHON" -u "$(dirname "${BASH_SOURCE[0]}")/$3" "${@:4}"
}
