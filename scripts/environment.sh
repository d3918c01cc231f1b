# Sourced by the commands: goes to the checkout and makes .venv there with the locked versions, if it is not made yet.
# Needs bash (3.2 or later) and either uv or Python 3.11+ with venv. Sets CHECKOUT and VENV_PYTHON.
# shellcheck shell=bash

CHECKOUT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV_PYTHON="$CHECKOUT/.venv/bin/python"
_STAMP="$CHECKOUT/.venv/layover-stamp"
_UNFINISHED="$CHECKOUT/.venv/layover-unfinished"
_SETUP_LOG="$CHECKOUT/.layover/setup.log"

_say() { printf '%s\n' "$*" >&2; }

_fail() {
    _say "$*"
    exit 2
}

# What the environment was made from, and where: a moved checkout needs a new one.
_fingerprint() {
    printf '%s\n' "$CHECKOUT"
    cksum "$CHECKOUT/pyproject.toml" "$CHECKOUT/uv.lock" "$CHECKOUT/requirements.lock"
}

_is_ready() {
    [ -x "$VENV_PYTHON" ] && [ -f "$_STAMP" ] && [ "$(<"$_STAMP")" = "$(_fingerprint)" ]
}

# A Python that will do. Those for which every dependency has a wheel come first.
_find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.13 python3.11 python3.14 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return
        fi
    done
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return
        fi
    done
    _fail "Layover needs Python 3.11 or later and found none (looked for ${PYTHON:+$PYTHON, }python3, python3.11 to 3.14).
Install one, or name it: PYTHON=/path/to/python3.11 ${0##*/}"
}

# Holds the lock on file descriptor 9, which the shell keeps open.
_wait_for_others() {
    exec 9>"$CHECKOUT/.layover/setup.lock"
    "$1" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

_logged() {
    "$@" >>"$_SETUP_LOG" 2>&1
}

_install_with_uv() {
    _say "Installing the locked packages with uv …"
    # The caller's own settings of another project must not lead uv away from this one.
    env -u VIRTUAL_ENV -u UV_PROJECT_ENVIRONMENT -u UV_PYTHON uv sync --frozen --python "$1" >>"$_SETUP_LOG" 2>&1
}

# Keeps an environment that works, whoever made it; one that was left half-made, or was moved here, is made anew.
_make_venv() {
    if "$VENV_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 &&
        [ ! -e "$_UNFINISHED" ] && { [ ! -e "$_STAMP" ] || grep -qxF "$CHECKOUT" "$_STAMP"; }; then
        "$VENV_PYTHON" -m pip --version >/dev/null 2>&1 || _logged "$VENV_PYTHON" -m ensurepip
        return
    fi
    _say "Making .venv with $("$1" -c 'import sys; print("Python", sys.version.split()[0])') …"
    _logged "$1" -m venv --clear "$CHECKOUT/.venv" || _fail "$(tail -n 5 "$_SETUP_LOG")
This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"
    : >"$_UNFINISHED"
}

_install_with_pip() {
    _make_venv "$1"
    local line total fetched=0
    local options=(--no-input --disable-pip-version-check --progress-bar off)
    total=$(grep -c '^[A-Za-z0-9]' "$CHECKOUT/requirements.lock")
    _say "Installing $total locked packages with pip (about a minute the first time) …"
    "$VENV_PYTHON" -m pip install "${options[@]}" --require-hashes -r "$CHECKOUT/requirements.lock" 2>&1 |
        while IFS= read -r line; do
            printf '%s\n' "$line" >>"$_SETUP_LOG"
            case $line in
            Collecting*)
                fetched=$((fetched + 1))
                if [ $((fetched % 30)) -eq 0 ]; then _say "  $fetched of $total fetched …"; fi
                ;;
            Installing\ collected*) _say "  all fetched; unpacking …" ;;
            esac
        done
    [ "${PIPESTATUS[0]}" -eq 0 ] &&
        _logged "$VENV_PYTHON" -m pip install "${options[@]}" --no-deps --no-build-isolation --no-index -e "$CHECKOUT" &&
        rm -f "$_UNFINISHED"
}

_set_up() {
    local python
    mkdir -p "$CHECKOUT/.layover"
    python="$(_find_python)" || exit 2
    _wait_for_others "$python"
    if ! _is_ready; then
        : >"$_SETUP_LOG"
        if ! { command -v uv >/dev/null 2>&1 && _install_with_uv "$python"; } && ! _install_with_pip "$python"; then
            tail -n 20 "$_SETUP_LOG" >&2
            _fail "The packages could not be installed; all of what was said is in $_SETUP_LOG"
        fi
        _fingerprint >"$_STAMP"
        _say "The environment is ready."
    fi
    exec 9>&-
}

# pip, uv and npm want a home directory; without one they get one inside the checkout.
if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ]; then
    mkdir -p "$CHECKOUT/.layover/home"
    export HOME="$CHECKOUT/.layover/home"
fi
cd "$CHECKOUT" || exit 2
_is_ready || _set_up
