"""One real boot: QEMU, a Debian kernel, a Debian root, the real bpftrace. Minutes when cold, seconds when warm."""

from __future__ import annotations

import os
import shutil

import pytest

from . import assemble, qemu
from .guest import Job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("KDIAG_LAB"), reason="boots kernels: set KDIAG_LAB=1"),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="no qemu-system-x86_64"),
]


def test_a_command_in_a_guest() -> None:
    request = assemble.Request(kernel="debian-6.12", root="debian13")
    script = """
        uname -r
        echo to stderr >&2
        [ -t 1 ] && echo a terminal
        bpftrace -e 'BEGIN { printf("traced %d\\n", pid > 0); exit() }'
        kdiag --version
        exit 7
    """
    outcome = qemu.run(assemble.boot(request, Job(script, limit=120)), limit=150)
    assert qemu.explain(outcome) is None
    lines = outcome.out.decode().splitlines()
    assert lines[0].startswith("6.12.")
    assert "traced 1" in lines
    assert "a terminal" not in lines
    assert any(line.startswith("kdiag ") for line in lines)
    assert outcome.err.startswith(b"to stderr\n")
    assert outcome.status == 7


def test_an_ordinary_user_and_the_kernels_command_line() -> None:
    request = assemble.Request("debian-6.12", "debian12", append=["lockdown=integrity"], kdiag=False)
    outcome = qemu.run(
        assemble.boot(request, Job("id -un; cat /sys/kernel/security/lockdown", "user", 60)), limit=90
    )
    assert outcome.out == b"user\nnone [integrity] confidentiality\n"


def test_a_limit_ends_the_guest() -> None:
    request = assemble.Request("debian-6.12", "debian12", kdiag=False)
    outcome = qemu.run(assemble.boot(request, Job("echo begun; sleep 1000", limit=3)), limit=60)
    assert outcome.timed_out
    assert outcome.out == b"begun\n"
