#!/bin/sh
# Sets up what the tests need and runs them on all processors.
#
#   sh tests/run.sh                      all of them
#   sh tests/run.sh --fast               an answer in half a minute: without the tests that are marked slow
#                                        (pytest -m "not slow"; tests/conftest.py says which those are, and why)
#   sh tests/run.sh --oldest             with the oldest releases of all libraries that pyproject.toml takes, in .venv-oldest;
#                                        for Python 3.10 and 3.11, newer ones cannot run all of them
#   sh tests/run.sh --no-install         leaves the machine alone: what is missing is skipped
#   sh tests/run.sh tests/parse -k btf   other arguments go to pytest; a choice of tests runs in one process
#
# Setting up means .venv with kdiag in it and, where we are root and there is apt, the programs named below, which some
# tests hold kdiag against; what is installed is said before. PYTHON chooses the interpreter (3.10 or newer),
# KDIAG_TEST_STRICT=1 turns skips for what is missing into failures.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
tools="bpftrace bpftool busybox chromium fish fonts-dejavu-core groff-base mandoc xz-utils zsh zstd"

install=yes
fast=
venv=.venv
several="-n auto --maxprocesses 8 --dist worksteal"
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    case $argument in
    --no-install) install= && continue ;;
    --fast) fast=yes && continue ;;
    --oldest) venv=.venv-oldest && continue ;;
    # A start of several processes costs more than a few tests, and a debugger needs the terminal.
    -k* | -n* | -p | -s | --pdb* | --lf | --ff | --sw | --collect-only | --co | --fixtures | --markers | tests/*) several= ;;
    esac
    set -- "$@" "$argument"
done

if [ -n "$install" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    missing=
    for package in $tools; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
    done
    "$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
    if [ -n "$missing" ]; then
        echo "installing for the tests (--no-install leaves it out):$missing"
        apt-get update -qq
        # shellcheck disable=SC2086 # one word per package
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    fi
fi

if [ ! -x "$venv/bin/python" ]; then
    if [ "$venv" = .venv-oldest ] && ! "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
        echo "--oldest requires Python 3.10 or 3.11: PYTHON=python3.10 sh tests/run.sh --oldest" >&2
        exit 2
    fi
    "$python" -m venv "$venv"
fi
# pip looks again only where something may have changed.
wanted=$(cksum pyproject.toml)
if [ "$(cat "$venv/installed-for-tests" 2>/dev/null)" != "$wanted" ]; then
    : >"$venv/constraints.txt"
    [ "$venv" = .venv ] || "$python" tests/support/oldest.py >"$venv/constraints.txt"
    "$venv/bin/pip" install -q --disable-pip-version-check -c "$venv/constraints.txt" -e '.[test]'
    echo "$wanted" >"$venv/installed-for-tests"
fi
# shellcheck disable=SC2086 # words
exec "$venv/bin/python" -m pytest $several ${fast:+-m "not slow"} "$@"
