#!/bin/sh
# Sets up what the tests need and runs them: a virtual environment, kdiag in it, and, where we are root and there is apt,
# the tools that some tests hold kdiag against. Arguments go to pytest; PYTHON chooses the interpreter (3.10 or newer).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
tools="bpftrace bpftool busybox chromium fish fonts-dejavu-core xz-utils zsh zstd"

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    missing=
    for package in $tools; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
    done
    "$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
    if [ -n "$missing" ]; then
        echo "installing for the tests:$missing"
        apt-get update -qq
        # shellcheck disable=SC2086  one word per package
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    fi
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/pip install -q --disable-pip-version-check -e '.[test]'
exec .venv/bin/python -m pytest "$@"
