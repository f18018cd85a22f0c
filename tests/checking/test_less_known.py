"""With less known, nothing is better: each recorded fact is taken away, and no finding becomes `ok` for that.

A finding that does so rested on a default or an expectation as if it had been seen. Each check is asked again without
each of the facts that it asked for, and once without any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.checking.registry import Registered
from kdiag.checking.runner import run_one
from kdiag.machine import Machine
from kdiag.model import Finding, Status, Works
from kdiag.system.base import System
from kdiag.system.recording import Recording
from tests.support import known_machines as known
from tests.support.forgetting import Everything, Forgetting
from tests.support.paths import FIXTURES
from tests.support.reports import builtin, report_on

#: What is ok by another fact, and only the comparison with the one that was taken away was not: (finding, fact).
BY_ANOTHER_FACT = {
    # The kernel says whose it is; whether the files are of the same system is what os-release is for.
    ("kernel.identity", "/etc/os-release"),
    # The package database has the package; that it is for another kernel is seen where the link leads.
    ("headers.package", "/lib/modules/R/build"),
    # Newer features of the kernel prove it, as far as that goes: none of them is what a filter may refuse.
    ("bpf.test-run", "bpf:test-run"),
}
#: Small ones of different kinds: a look takes as many checks as there are facts.
CHOSEN = ("ubuntu-24.04", "orbstack-container", "microvm-kata")


def told(system: System, found: Registered) -> dict[str, Finding]:
    return {finding.id: finding for finding in run_one(Machine(system), found)}


def better(system: System, every: int = 1) -> Iterator[tuple[str, str, str, str]]:
    """(finding, fact, before, after) of each that is ok only because the fact is not known. every: one of so many facts
    is taken away, of each check others.
    """
    for number, found in enumerate(builtin().checks):
        whole = Forgetting(system)
        before = told(whole, found)
        for fact in list(whole.asked)[number % every :: every]:
            for name, finding in told(Forgetting(system, {fact}), found).items():
                assert "the check itself failed" not in finding.summary, (fact, finding)
                was = before.get(name)
                if was is None or finding.status is not Status.OK or was.status in (Status.OK, Status.SKIP):
                    continue
                if (name, re.sub("^/lib/modules/[^/]+", "/lib/modules/R", fact)) not in BY_ANOTHER_FACT:
                    yield name, fact, was.summary, finding.summary


@pytest.mark.parametrize("name", CHOSEN)
def test_no_finding_is_better_for_a_fact_that_is_not_known(name: str) -> None:
    assert list(better(known.BY_NAME[name]().recording())) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in known.BY_NAME if name not in CHOSEN])
def test_nor_on_any_other_machine_that_is_described(name: str) -> None:
    assert list(better(known.BY_NAME[name]().recording())) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(p for p in FIXTURES.iterdir() if p.is_dir()), ids=lambda p: p.name)
def test_nor_on_any_that_was_recorded(path: Path) -> None:
    """Their BTF is a real kernel's, so that all facts of all of them would take minutes."""
    assert list(better(Recording(path), every=12)) == []


@pytest.mark.parametrize("name", known.BY_NAME)
def test_nothing_is_fine_where_nothing_is_known(name: str) -> None:
    """But who asks, of which kernel: uname(2) and geteuid(2) are no facts of a recording's files."""
    report = report_on(Forgetting(known.BY_NAME[name]().recording(), Everything()))
    fine = {finding.id for finding in report.findings if finding.status is Status.OK}
    assert fine <= {"privileges.root", "kernel.identity"}
    assert not [c for c in report.capabilities if c.status in (Works.WORKS, Works.CAVEAT)]


def test_it_sees_a_finding_that_rests_on_nothing() -> None:
    """The measure itself: a namespace that was not looked at is not one of the machine's own."""
    described = known.orbstack_container().link("/proc/self/ns/pid", "pid:[4026531836]")
    described.remove("/.dockerenv", "/run/.containerenv")
    check = next(found for found in builtin().checks if "environment.container" in found.check.finding_ids)
    forgotten = {f"/proc/self/ns/{name}" for name in ("pid", "ipc", "uts", "cgroup", "user")}
    after = told(Forgetting(described.recording(), forgotten), check)["environment.container"]
    assert after.status is not Status.OK
