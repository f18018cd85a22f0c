"""The real bpftrace on the real kernel, as this machine is and with tracefs in a mount namespace of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kdiag.smoke.json import schema_text
from tests.support.waiting import HANG

BPFTRACE = shutil.which("bpftrace") or shutil.which("bpftrace", path="/usr/sbin:/usr/bin")
VALIDATOR = Draft202012Validator(json.loads(schema_text()))
CODE = """
import io, sys
from kdiag.commands.smoke import smoke
from kdiag.console.terminal import Terminal
text, status = smoke(only=sys.argv[1:], require=(), tools=(), output_format="json", time_limit=500.0,
                     terminal=Terminal(80, False, True), progress=io.StringIO())
sys.stdout.buffer.write(text.encode())
sys.exit(status)
"""

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(BPFTRACE is None, reason="bpftrace is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="bpftrace wants root"),
]


def smoke(*only: str, before: str = "") -> tuple[dict[str, Any], int]:
    """The JSON document and the exit status; `before`: shell commands in a mount namespace of its own."""
    argv = [sys.executable, "-c", CODE, *only]
    if before:
        argv = ["unshare", "-m", "sh", "-c", f'{before}; exec "$@"', "sh", *argv]
    done = subprocess.run(argv, capture_output=True, timeout=HANG, check=False)
    if before and done.returncode not in (0, 1, 3):
        pytest.skip(f"no mount namespace: {done.stderr.decode(errors='replace')[-300:]}")
    document = json.loads(done.stdout)
    VALIDATOR.validate(document)
    assert isinstance(document, dict)
    return document, done.returncode


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in document["programs"]}


def test_prediction_and_proof_agree_on_this_machine() -> None:
    document, status = smoke()
    assert document["summary"]["disagreements"] == []
    found = outcomes(document)
    assert status == (0 if all(
        found[one] in ("works", "warns")
        for one in ("hello", "tracepoint-args", "tracepoint-net", "tracepoint-sched")
    ) else 1)  # fmt: skip
    if found["hello"] == "fails":
        of_bpftrace = {one["outcome"] for one in document["programs"] if one["tool"] == "bpftrace"}
        assert of_bpftrace == {"fails", "skipped"}


def test_they_agree_with_tracefs_too() -> None:
    if "tracefs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no tracefs")
    document, _ = smoke(before="mount -t tracefs tracefs /sys/kernel/tracing")
    assert document["summary"]["disagreements"] == []
    found = outcomes(document)
    if found["hello"] != "fails":
        first_session = ("tracepoint-args", "tracepoint-net", "tracepoint-sched")
        assert {found[one] for one in first_session} <= {"works", "warns"}


def test_in_a_pid_namespace_the_event_is_recognised_all_the_same() -> None:
    document, _ = smoke("hello", "uprobe", "profile", "software")
    argv = ("unshare", "-mpf", "--mount-proc", sys.executable, "-c", CODE, "uprobe", "profile", "software")
    done = subprocess.run(argv, capture_output=True, timeout=HANG, check=False)
    if not done.stdout:
        pytest.skip(f"no PID namespace: {done.stderr.decode(errors='replace')[-300:]}")
    outside = outcomes(document)
    inside = outcomes(json.loads(done.stdout))
    working = {name for name in inside if outside[name] in ("works", "warns")}
    assert {name for name in inside if inside[name] in ("works", "warns")} == working


def test_a_wrong_variable_is_the_truth() -> None:
    """bpftrace runs with the environment as it is, so that a wrong BPFTRACE_KERNEL_SOURCE shows."""
    wrong = {**os.environ, "BPFTRACE_KERNEL_SOURCE": "/nonexistent"}
    done = subprocess.run(
        (sys.executable, "-c", CODE, "include"), capture_output=True, timeout=HANG, check=False, env=wrong
    )
    document = json.loads(done.stdout)
    assert outcomes(document) == {"include": "fails"}
    assert document["summary"]["disagreements"] == []
    assert done.returncode == 1
