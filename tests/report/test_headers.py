"""Do I need kernel headers? The answer, and each capability's need against what the predictor itself says."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest

from kdiag.capabilities import DEFAULT_REQUIRED, evaluate
from kdiag.knowledge.bpftrace import Behaviour, behaviour
from kdiag.knowledge.bpftrace_history import ROWS
from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
)
from kdiag.report.headers import Need, answer, need

RELEASES = [behaviour(row.since) for row in ROWS]
HEADERS = ("headers.tree", "headers.bcc", "kheaders.available")
BTF = ("btf.bpftrace", "btf.vmlinux", "btf.fallback")
OK, FAIL, UNKNOWN, WARN, SKIP = Status.OK, Status.FAIL, Status.UNKNOWN, Status.WARN, Status.SKIP


def every_id() -> tuple[str, ...]:
    """Ids of all findings that any capability of any release asks for."""
    known: dict[str, Finding] = {}
    while True:
        seen = {i for c in evaluate(tuple(known.values()), RELEASES, as_root_matters=False) for i in c.findings}
        if seen <= known.keys():
            return tuple(known)
        known |= {i: Finding(UNKNOWN, i, id=i) for i in seen - known.keys()}


IDS = (*every_id(), "btf.bpftrace", "btf.fallback")


def judged(releases: list[Behaviour], statuses: Mapping[str, Status]) -> Report:
    """The report of a machine where all is well but for these findings."""
    findings = tuple(
        Finding(statuses.get(i, OK), f"{i} says so", id=i, evidence=(Evidence("x", "y"),))
        for i in dict.fromkeys(IDS)
    )
    return Report(
        "0.1.0", "", MachineInfo(), findings, evaluate(findings, releases, as_root_matters=False),
        DEFAULT_REQUIRED, Verdict(Readiness.READY, "so it is"),
    )  # fmt: skip


def works(release: Behaviour, statuses: Mapping[str, Status]) -> dict[str, Works]:
    """What works on a machine where all is well but for these findings about headers and BTF."""
    about = {id_: status for id_, status in statuses.items() if id_ in (*HEADERS, *BTF)}
    return {c.id: c.status for c in judged([release], about).capabilities}


def all_of(ids: tuple[str, ...], status: Status) -> dict[str, Status]:
    return dict.fromkeys(ids, status)


OTHERS = (
    {},
    {"privileges.root": FAIL, "privileges.capabilities": FAIL},
    {"tracing.tracefs": FAIL},
    {"bpf.map": UNKNOWN},
    {"privileges.root": UNKNOWN, "tracing.tracefs": FAIL},
    {"tracing.kprobes": FAIL, "kernel.lockdown": FAIL},
    {"tools.bpftrace": FAIL},
    {"tools.bpftrace": FAIL, "tracing.tracefs": FAIL},
    {"tools.bpftrace": FAIL, "bpf.map": UNKNOWN},
    {"tools.bcc": FAIL},
)


@pytest.mark.parametrize("release", RELEASES, ids=lambda b: ".".join(map(str, b.version)))
@pytest.mark.parametrize("btf", [OK, WARN, FAIL, UNKNOWN])
def test_a_need_is_what_the_predictor_says_of_a_machine_without_other_troubles(
    release: Behaviour, btf: Status
) -> None:
    for sources, other in product((FAIL, OK, UNKNOWN), OTHERS):
        report = judged([release], all_of(BTF, btf) | all_of(HEADERS, sources) | other)
        bare = works(release, all_of(BTF, btf) | all_of(HEADERS, FAIL))
        with_headers = works(release, all_of(BTF, btf) | all_of(HEADERS, OK))
        with_btf = works(release, all_of(BTF, OK) | all_of(HEADERS, FAIL))
        for capability in report.capabilities:
            without, served = bare[capability.id], with_headers[capability.id]
            needed = need(capability, report)
            where = (capability.id, capability.status, sources, other, needed)
            if needed is Need.NO:
                assert without is served or (without, capability.status) == (Works.CAVEAT, Works.FAILS), where
            elif needed is Need.YES and capability.id not in ("include", "bcc-tools"):
                assert without is not served or sources is OK, where
            elif needed is Need.PARTLY:
                assert (without, served) == (Works.CAVEAT, Works.WORKS), where
            elif needed is Need.EITHER:
                assert without is Works.FAILS and served is not Works.FAILS, where
                assert with_btf[capability.id] is not Works.FAILS, where
            elif needed is Need.THERE:
                assert sources is OK, where
            elif needed is Need.UNKNOWN:
                assert UNKNOWN in (btf, sources), where
