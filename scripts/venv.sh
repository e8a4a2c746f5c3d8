# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh: make .venv from constraints.txt, or reuse it where it matches.
# After `make_venv`, `python` and all commands are those of .venv.

# To be sourced, not run.
say() { printf '%s\n' "== $*"; }

# Print the first Python 3.11 or 3.12 that can make virtual environments; AURALIGN_PYTHON is tried first.
find_python() {
    local candidate
    for candidate in ${AURALIGN_PYTHON:+"$AURALIGN_PYTHON"} python3.11 python3.12 python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# Install Debian packages, as root or with sudo; say what is missing where neither is possible.
install_debian() {
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
        say "missing: $*. Install it (Debian: apt-get install $*) and run this again." >&2
        return 1
    fi
    say "installing $* from Debian"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@" >/dev/null
}

make_venv() {
    local python
    command -v git >/dev/null || install_debian git
    if ! python=$(find_python); then
        install_debian python3 python3-venv
        python=$(find_python) || { say "Python 3.11 or 3.12 is needed; python3 is $(python3 --version 2>&1)." >&2; return 1; }
    fi
    if [ -x .venv/bin/python ] && .venv/bin/python scripts/check_venv.py "auralign[test]" 2>/dev/null; then
        say "reusing .venv: it matches constraints.txt"
    else
        say "making .venv with $("$python" --version) from constraints.txt (minutes; 2 GB)"
        rm -rf .venv
        "$python" -m venv .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
    fi
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
    # a log file wants fewer lines of progress than a terminal
    [ -t 2 ] || export TQDM_MININTERVAL=10
    # DataLad wants to know who works; on a fresh machine nobody has told git
    if ! git config user.name >/dev/null; then
        export GIT_AUTHOR_NAME=auralign GIT_AUTHOR_EMAIL=auralign@localhost
        export GIT_COMMITTER_NAME=auralign GIT_COMMITTER_EMAIL=auralign@localhost
    fi
}
