"""What kdiag predicts against what was seen (`tests/observations`): the real checks, on a recording of each machine."""

from __future__ import annotations

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.model import Report, Works
from tests.support import machines
from tests.support.lab_machines import lab, no_proc
from tests.support.observations import Observation, decided_by_source, observations
from tests.support.reports import Examine

TRACEPOINTS = ("tracepoint-args", "tracepoint-net", "tracepoint-sched")
LETTERS = {"B": ("hello",), "T": ("tracepoint-args",), "K": ("kprobe",), "S": ("struct",)}

HEADERS, RESTRICTED, KERNELS = (list(observations(name)) for name in ("headers", "restricted", "kernels"))
SOURCE = list(decided_by_source())


def capabilities_of(name: str) -> tuple[str, ...]:
    return TRACEPOINTS if name == "tracepoints" else LETTERS.get(name, (name,))


def compare(report: Report, name: str, seen: frozenset[Works]) -> None:
    by_id = {capability.id: capability for capability in report.capabilities}
    for capability_id in capabilities_of(name):
        found = by_id[capability_id]
        wanted = "/".join(sorted(works.value for works in seen))
        assert found.status in seen, (
            f"{capability_id}: seen {wanted}, predicted {found.status.value} because {found.because!r} "
            f"({', '.join(found.findings)})"
        )


_reports: dict[tuple[str, str], Report] = {}


def _report(one: Observation, examine: Examine) -> Report:
    """Each machine is examined once, however many of its cells are compared."""
    key = (one.situation, one.version)
    if key not in _reports:
        _reports[key] = examine(machines.bpftrace(one.build(), one.version))
    return _reports[key]


def _ids(table: list[Observation]) -> list[str]:
    return [f"{one.situation}-{one.version}-{one.name}-seen{number}" for number, one in enumerate(table)]


@pytest.mark.parametrize("one", HEADERS, ids=_ids(HEADERS))
def test_headers_and_releases(one: Observation, examine: Examine) -> None:
    compare(_report(one, examine), one.name, one.seen)


@pytest.mark.parametrize("one", RESTRICTED, ids=_ids(RESTRICTED))
def test_restricted_environments(one: Observation, examine: Examine) -> None:
    compare(_report(one, examine), one.name, one.seen)


@pytest.mark.parametrize(
    "one", KERNELS, ids=[f"{one.situation}-{one.name}-seen{number}" for number, one in enumerate(KERNELS)]
)
def test_kernels(one: Observation, examine: Examine) -> None:
    compare(_report(one, examine), one.name, one.seen)


@pytest.mark.parametrize("version", ("0.17.0", "0.23.2"))
def test_without_proc_nothing_is_said_to_fail(version: str, examine: Examine) -> None:
    """Seen: hello and tracepoints work with /proc hidden. kdiag cannot see who asks then: it may not know, not deny."""
    report = examine(machines.bpftrace(no_proc(), version))
    for capability in report.capabilities:
        if capability.id in ("hello", *TRACEPOINTS):
            assert capability.status is not Works.FAILS, capability


def test_every_capability_is_judged_and_told_apart(examine: Examine) -> None:
    report = examine(machines.bpftrace(lab(), "0.23.2"))
    assert [capability.id for capability in report.capabilities] == [
        definition.id for definition in DEFINITIONS
    ]
    assert len({definition.id for definition in DEFINITIONS}) == len(DEFINITIONS)


@pytest.mark.parametrize("one", SOURCE, ids=[f"{one.situation}: {one.version}" for one in SOURCE])
def test_what_the_source_decides(one: Observation, examine: Examine) -> None:
    compare(_report(one, examine), one.name, one.seen)
