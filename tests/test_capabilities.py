"""What kdiag predicts against what was seen (`seen.py`): the real checks, on a recording of each machine."""

from __future__ import annotations

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.model import Report, Works
from tests.support import machines
from tests.support.reports import Examine
from tests.support.seen import (
    HEADERS,
    INFERRED,
    LETTERS,
    RESTRICTED,
    SEEN,
    TRACEPOINTS,
    VERSIONS,
    Build,
    lab,
    no_proc,
)


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


def _header_cells() -> list[tuple[str, str, str, frozenset[Works]]]:
    return [
        (situation, version, name, cell)
        for situation, (_, rows) in HEADERS.items()
        for name, cells in rows.items()
        for version, cell in zip(VERSIONS, cells, strict=True)
        if cell is not None
    ]


def _restricted_cells() -> list[tuple[str, str, str, frozenset[Works]]]:
    return [
        (situation, version, name, cell)
        for situation, (_, rows) in RESTRICTED.items()
        for name, cells in rows.items()
        for version, cell in zip(VERSIONS[1:], cells, strict=True)
        if cell is not None
    ]


_reports: dict[tuple[str, str], Report] = {}


def _report(key: tuple[str, str], build: Build, version: str, examine: Examine) -> Report:
    """Each machine is examined once, however many of its cells are compared."""
    if key not in _reports:
        _reports[key] = examine(machines.bpftrace(build(), version))
    return _reports[key]


@pytest.mark.parametrize(("situation", "version", "name", "seen"), _header_cells())
def test_headers_and_releases(
    situation: str, version: str, name: str, seen: frozenset[Works], examine: Examine
) -> None:
    report = _report((situation, version), HEADERS[situation][0], version, examine)
    compare(report, name, seen)


@pytest.mark.parametrize(("situation", "version", "name", "seen"), _restricted_cells())
def test_restricted_environments(
    situation: str, version: str, name: str, seen: frozenset[Works], examine: Examine
) -> None:
    report = _report((situation, version), RESTRICTED[situation][0], version, examine)
    compare(report, name, seen)


@pytest.mark.parametrize(
    ("situation", "name", "seen"),
    [(s, n, cell) for s, (_, _, cells) in SEEN.items() for n, cell in cells.items() if cell is not None],
)
def test_kernels(situation: str, name: str, seen: frozenset[Works], examine: Examine) -> None:
    build, version, _ = SEEN[situation]
    compare(_report((situation, version), build, version, examine), name, seen)


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


@pytest.mark.parametrize(
    ("build", "name", "version", "follows"),
    [(build, name, version, works) for _, build, name, rows in INFERRED for version, works in rows.items()],
    ids=[f"{why}: {version}" for why, _, _, rows in INFERRED for version in rows],
)
def test_what_the_source_decides(
    build: Build, name: str, version: str, follows: frozenset[Works], examine: Examine
) -> None:
    compare(examine(machines.bpftrace(build(), version)), name, follows)
