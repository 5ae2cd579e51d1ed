#!/usr/bin/env bash
# Make the environment of this checkout: .venv with requirements/lock.txt and
# mmldm itself. If it is complete, this does nothing.
#
# Usage: bash tools/setup_env.sh      make it
#        source tools/setup_env.sh    make it and put it first on PATH (bash)
#
# PYTHON      Python to make it with, 3.11 to 3.13 (default: python3)
# MMLDM_VENV  folder to make it in (default: .venv in the checkout)

# Sourced into scripts and shells: no set -e, no exit; every failure returns.

_setup_say() {
    printf '[set-up] %s\n' "$*" >&2
}

# _setup_run LOG COMMAND...: write its output to LOG, and the end of LOG to the
# screen if it fails.
_setup_run() {
    local log="$1"
    shift
    printf '$ %s\n' "$*" >"$log" || return 1
    "$@" >>"$log" 2>&1 && return 0
    tail -n 15 "$log" >&2
    _setup_say "failed, see $log: check network and free disk space" \
        '(5.5 GB), then run this again'
    return 1
}

# _setup_check_version PYTHON REMEDY
_setup_check_version() {
    # The versions of the lock exist from 3.11 on.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        2>/dev/null && return 0
    _setup_say "requirements/lock.txt needs Python 3.11 to 3.13, but $1 is" \
        "$(command -v "$1" >/dev/null && "$1" --version 2>&1 ||
            echo 'not there'): $2"
    return 1
}

# _setup_make VENV STAMP PYTHON: make an environment with pip if there is none.
# STAMP says 'half-made' until everything is installed.
_setup_make() {
    local venv="$1" stamp="$2" python="$3"
    # Only this script's own environment is deleted, never a user's.
    if [[ -f "$stamp" ]] && { [[ "$(<"$stamp")" == half-made ]] ||
        ! "$venv/bin/python" -c '' 2>/dev/null; }; then
        _setup_say "$venv is half-made or broken: starting afresh"
        rm -rf -- "$venv" || return 1
    fi
    # The stamp of another lock: an interrupted update must not look complete.
    rm -f -- "$stamp"
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        _setup_check_version "$venv/bin/python" "delete $venv"
        return
    fi
    _setup_check_version "$python" 'install one and set PYTHON to it' ||
        return 1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        _setup_say "$python has no venv module: apt-get install python3-venv" \
            '(Debian, Ubuntu), or set PYTHON to another one'
        return 1
    fi
    mkdir -p "$venv" || return 1
    [[ -e "$venv/pyvenv.cfg" ]] || echo half-made >"$stamp" || return 1
    _setup_run "$venv/setup.log" "$python" -m venv "$venv"
}

_setup_main() {
    local root lock venv stamp done_mark
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return 1
    lock="$root/requirements/lock.txt"
    venv="${MMLDM_VENV:-$root/.venv}"
    [[ "$venv" == /* ]] || venv="$PWD/$venv"
    stamp="$venv/.mmldm-lock"
    # Hash and path: an environment serves one checkout at a time.
    done_mark="$(sha256sum "$lock")" || return 1

    if [[ "$(cat "$stamp" 2>/dev/null)" != "$done_mark" ]] ||
        ! "$venv/bin/python" -c '' 2>/dev/null; then
        _setup_make "$venv" "$stamp" "${PYTHON:-python3}" || return 1
        _setup_say "installing requirements/lock.txt into $venv:" \
            'about 2 minutes, 5.5 GB'
        local pip=("$venv/bin/python" -m pip --disable-pip-version-check
            install --no-deps)
        _setup_run "$venv/setup.log" "${pip[@]}" -r "$lock" || return 1
        _setup_run "$venv/setup.log" \
            "${pip[@]}" --no-build-isolation -e "$root" || return 1
        echo "$done_mark" >"$stamp" || return 1
        _setup_say 'done'
    fi

    # Programs started from here use this environment, by any of its names.
    export MMLDM_VENV="$venv" VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
    PYTHON="$venv/bin/python"
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
    # shellcheck source=tools/_common.sh
    source "$(dirname "${BASH_SOURCE[0]}")/_common.sh"
    check_arguments 0 "$@"
fi
_setup_main
