"""Variables of the environment that lead a tool astray: worse than none, and one word cures them."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from kdiag.fix.environment import problem
from kdiag.model import Report, Status, Works
from kdiag.system.live import Live
from tests.support import machines
from tests.support.description import Description
from tests.support.needs import need, need_program, need_root
from tests.support.reports import report_on
from tests.support.waiting import HANG


def works(report: Report, capability_id: str) -> Works:
    return next(c.status for c in report.capabilities if c.id == capability_id)


def unsets(report: Report, finding_id: str) -> bool:
    found = report.finding(finding_id)
    assert found is not None
    return any(command.startswith("unset ") for r in found.remedies for command in r.commands)


def with_headers(version: str, **variables: str) -> Description:
    described = machines.debian_headers(machines.bpftrace(machines.linux(), version))
    for name, value in variables.items():
        described.env(name, value)
    return described


@pytest.mark.parametrize("value", ["", "/nowhere", "/etc/os-release"])
def test_a_wrong_btf_variable_kills_some_releases(value: str) -> None:
    """Seen with 0.17.0: a segmentation fault, for BEGIN too. 0.22 and newer warn."""
    for version, hello in (("0.17.0", Works.FAILS), ("0.20.2", Works.FAILS), ("0.23.2", Works.WORKS)):
        report = report_on(with_headers(version, BPFTRACE_BTF=value).recording())
        assert works(report, "hello") is hello, version
        assert works(report, "struct") is Works.FAILS, version
        assert unsets(report, "btf.variable")


@pytest.mark.parametrize("value", ["", "/nowhere", "/etc/passwd"])
def test_the_real_one_agrees(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    path = need_program("bpftrace")
    monkeypatch.setenv("BPFTRACE_BTF", value)
    report = report_on(Live())
    need(re.fullmatch(r"\d+\.\d+\.\d+", report.machine.bpftrace), "bpftrace's version")
    done = subprocess.run([path, "-e", "BEGIN { exit(); }"], capture_output=True, timeout=HANG, check=False)
    monkeypatch.delenv("BPFTRACE_BTF")
    before = works(report_on(Live()), "hello")
    need(before is Works.WORKS, "a machine where bpftrace works without the variable")
    assert (works(report, "hello") is Works.WORKS) is (done.returncode == 0), done.stderr[-300:]


def test_an_empty_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and `env` judge alike."""
    for name in ("BPFTRACE_KERNEL_SOURCE", "BCC_KERNEL_SOURCE", "BPFTRACE_BTF"):
        report = report_on(with_headers("0.23.2", **{name: ""}).recording())
        found = report.finding("btf.variable" if name == "BPFTRACE_BTF" else "headers.env")
        assert found is not None and found.status is Status.FAIL and "empty" in found.summary, name
        assert problem(name, "", os.uname().release)


@pytest.mark.parametrize(
    ("version", "intact"), [("0.17.0", Status.OK), ("0.21.3", Status.OK), ("0.23.2", Status.FAIL)]
)
def test_an_empty_source_hides_the_trees(version: str, intact: Status) -> None:
    """Up to 0.21 it means "no headers", later the directory "" (main.cpp asks whether one was named)."""
    report = report_on(with_headers(version, BPFTRACE_KERNEL_SOURCE="").recording())
    assert works(report, "include") is Works.FAILS
    found = report.finding("headers.intact")
    assert found is not None and found.status is intact


def test_a_variable_that_names_half_of_a_split_package() -> None:
    """The links lead to both halves; the variable hides them. Every script that goes through clang stops."""
    half = "/usr/src/linux-headers-6.12.107+deb13-amd64"
    report = report_on(with_headers("0.23.2", BPFTRACE_KERNEL_SOURCE=half).recording())
    assert works(report, "tracepoint-args") is Works.FAILS
    assert unsets(report, "headers.env")
    found = report.finding("headers.intact")
    assert found is not None and "headers.env" in found.causes
    assert "unset BPFTRACE_KERNEL_SOURCE" in report.verdict.next, report.verdict
    both = f"{half.rpartition('-')[0]}-common"
    whole = with_headers("0.23.2", BPFTRACE_KERNEL_SOURCE=both, BPFTRACE_KERNEL_BUILD=half)
    found = report_on(whole.recording()).finding("headers.env")
    assert found is not None and found.status is Status.OK, found
