#!/bin/sh
# Make .venv hold what requirements.lock says, and the project itself; `make setup` calls this when it has to.
#
# Environment, all optional:
#   PYTHON       the interpreter to build the environment with (default: the first of python3, python3.14 … python3.11
#                that is at least 3.11)
#   TORCH_INDEX  a package index to take torch from, for another build than the default index has
#   UV=1         install with uv in place of pip
# Without TORCH_INDEX, a Linux machine with no NVIDIA driver asks PyTorch's own index of CPU builds, which saves
# gigabytes; where that does not answer within seconds, the default index serves, as it does everything else.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
py=$venv/bin/python
cpu_index=https://download.pytorch.org/whl/cpu

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

new_enough() { [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || die "$PYTHON is not Python 3.11 or newer; name one that is: make setup PYTHON=/path/to/python3.11"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    die "no Python 3.11 or newer was found; install one, or name it: make setup PYTHON=/path/to/python3.11"
}

make_venv() {
    base=$(find_python)
    say "creating $venv with $("$base" --version)"
    if [ -n "${UV:-}" ]; then
        uv venv --quiet --allow-existing --python "$base" "$venv"
        return
    fi
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        die "$base has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
    "$base" -m venv --clear "$venv"
}

# pip shows its progress to a person; a log gets its errors only.
install() {
    if [ -n "${UV:-}" ]; then uv pip install --python "$py" "$@"; return; fi
    if [ -t 1 ]; then "$py" -m pip install --disable-pip-version-check "$@"; else "$py" -m pip install -qq --disable-pip-version-check "$@"; fi
}

# Does the index answer? The alarm also ends a look-up of the host's name that hangs.
answers() {
    "$py" - "$1" 2>/dev/null <<'PYTHON'
import signal, sys, urllib.request
signal.alarm(4)
urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="HEAD"), timeout=3)
PYTHON
}

has_torch() {
    "$py" -c 'import importlib.metadata as m, sys; sys.exit("torch==" + m.version("torch").split("+")[0] != sys.argv[1])' "$1" 2>/dev/null
}

has_nvidia() { command -v nvidia-smi >/dev/null 2>&1 || [ -e /proc/driver/nvidia/version ]; }

# torch comes first and alone: the other index is asked for nothing but torch, and what torch needs is the lock's.
install_torch() {
    torch=$(grep '^torch==' requirements.lock)
    if has_torch "$torch"; then return; fi
    if [ -n "${TORCH_INDEX:-}" ]; then
        say "taking $torch from $TORCH_INDEX"
        install --no-deps --index-url "$TORCH_INDEX" "$torch"
    elif [ "$(uname -s)" = Linux ] && ! has_nvidia && answers "$cpu_index/"; then
        say "no NVIDIA driver here: taking the CPU build of $torch"
        install --no-deps --index-url "$cpu_index" "$torch" || say "that failed; the default index will do"
    fi
}

if [ -n "${UV:-}" ] && ! command -v uv >/dev/null 2>&1; then die "UV=1 was given, but there is no uv here; leave it out to use pip"; fi
if ! new_enough "$py" || ! { [ -n "${UV:-}" ] || "$py" -m pip --version >/dev/null 2>&1; }; then make_venv; fi
install_torch
say "installing requirements.lock (about a minute)"
install -r requirements.lock
install --no-deps --no-build-isolation --editable .
say "ready: $("$py" --version) in $venv"
