"""Do I need kernel headers? The answer, and each capability's need against what the predictor itself says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.capabilities.judging import evaluate
from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.knowledge.tools.bpftrace_history import ROWS
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
from kdiag.report.story.kernel_headers import Need, answer, need

RELEASES = [behaviour(row.since) for row in ROWS]
#: One of each kind, as far as headers and BTF go.
KINDS = list(
    {
        (b.unpacks_kheaders, b.kconfig_include, b.clang_runs, b.types_header, b.btf_types, b.args_need_btf,
         b.rawtracepoint, b.defines_have_btf): b
        for b in RELEASES
    }.values()
)  # fmt: skip
HEADERS = ("headers.tree", "headers.bcc", "kheaders.available", "kheaders.archive", "kheaders.module")
BTF = ("btf.bpftrace", "btf.vmlinux", "btf.fallback")
OK, FAIL, UNKNOWN, WARN, SKIP = Status.OK, Status.FAIL, Status.UNKNOWN, Status.WARN, Status.SKIP


def every_id() -> tuple[str, ...]:
    """Ids of all findings that any capability of any release asks for."""
    known: dict[str, Finding] = {}
    while True:
        seen = {
            i
            for release in RELEASES
            for c in evaluate(tuple(known.values()), [release], as_root_matters=False)
            for i in c.findings
        }
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


OTHERS: tuple[dict[str, Status], ...] = (
    {},
    {"privileges.root": FAIL, "privileges.capabilities": FAIL},
    {"tracing.tracefs": FAIL},
    {"bpf.map": UNKNOWN},
    {"tracing.kprobes": FAIL},
    {"tools.bpftrace": FAIL},
    {"tools.bpftrace": FAIL, "bpf.map": UNKNOWN},
    {"tools.bcc": FAIL},
)


@pytest.mark.parametrize("release", KINDS, ids=lambda b: ".".join(map(str, b.version)))
@pytest.mark.parametrize("btf", [OK, WARN, FAIL, UNKNOWN])
def test_a_need_is_what_the_predictor_says_of_a_machine_without_other_troubles(
    release: Behaviour, btf: Status
) -> None:
    bare = works(release, all_of(BTF, btf) | all_of(HEADERS, FAIL))
    with_headers = works(release, all_of(BTF, btf) | all_of(HEADERS, OK))
    with_btf = works(release, all_of(BTF, OK) | all_of(HEADERS, FAIL))
    for sources, other in product((FAIL, OK, UNKNOWN), OTHERS):
        report = judged([release], all_of(BTF, btf) | all_of(HEADERS, sources) | other)
        for capability in report.capabilities:
            without, served = bare[capability.id], with_headers[capability.id]
            needed = need(capability, report)
            where = (capability.id, capability.status, sources, other, needed)
            if needed is Need.NO:
                assert without is served or (btf is WARN and without is Works.CAVEAT), where
            elif needed is Need.YES and capability.id not in ("include", "bcc-tools"):
                assert without is not served or sources is OK, where
            elif needed is Need.PARTLY:
                assert without is Works.CAVEAT and served in (Works.CAVEAT, Works.WORKS), where
            elif needed is Need.EITHER:
                assert without is Works.FAILS and served is not Works.FAILS, where
                assert with_btf[capability.id] is not Works.FAILS, where
            elif needed is Need.THERE:
                assert sources is OK, where
            elif needed is Need.UNKNOWN:
                assert UNKNOWN in (btf, sources) or capability.id == "stock-tools", where


@pytest.mark.parametrize("release", KINDS, ids=lambda b: ".".join(map(str, b.version)))
def test_a_broken_tree_is_blamed_only_where_it_breaks_something(release: Behaviour) -> None:
    report = judged([release], all_of(HEADERS, FAIL) | {"headers.intact": FAIL})
    bare = works(release, all_of(HEADERS, FAIL))
    for capability in report.capabilities:
        if need(capability, report) is Need.BROKEN:
            assert capability.status is Works.FAILS, capability
        if capability.id not in ("include", "bcc-tools") and need(capability, report) is Need.NO:
            assert capability.status is bare[capability.id], capability


def test_a_release_that_is_not_known_leaves_it_open() -> None:
    report = judged(RELEASES, all_of(HEADERS, FAIL))
    needs = {c.id: need(c, report) for c in report.capabilities}
    assert needs["tracepoint-args"] is Need.UNKNOWN and needs["hello"] is Need.NO
    assert answer(report) == "That cannot be told from what was looked at."


# -- the sentences ---------------------------------------------------------------------------------------------------

ENOUGH = "Not for the required capabilities (*): BTF is enough."
BOTH = "#include <linux/...> and BCC tools"
TRACEPOINTS = "syscall tracepoints with arguments, network tracepoints and scheduler tracepoints"
NEW, OLD, OLDEST = behaviour((0, 23, 2)), behaviour((0, 17, 0)), behaviour((0, 11, 3))


@pytest.mark.parametrize(
    ("release", "statuses", "sentence"),
    [
        (
            NEW,
            all_of(HEADERS, FAIL),
            f"{ENOUGH} Yes, for {BOTH}: see headers.tree.",
        ),
        (
            OLD,
            all_of(HEADERS, FAIL),
            f"{ENOUGH} Yes, for #include <linux/...>, some of the stock .bt tools "
            "and BCC tools: see headers.tree.",
        ),
        (
            NEW,
            all_of(HEADERS, FAIL) | {"headers.bcc": OK},
            f"{ENOUGH} They are there for BCC tools. "
            "Yes, for #include <linux/...>: see headers.tree.",
        ),
        (
            NEW,
            {"headers.bcc": FAIL},
            f"{ENOUGH} They are there for #include <linux/...>. "
            "Yes, for BCC tools: see headers.bcc.",
        ),
        (
            NEW,
            {},
            f"{ENOUGH} They are there for {BOTH}.",
        ),
        (
            NEW,
            all_of(HEADERS, FAIL) | {"tools.bpftrace": FAIL, "btf.bpftrace": SKIP, "tracing.tracefs": FAIL},
            f"{ENOUGH} Yes, for {BOTH}: see headers.tree.",
        ),
        (NEW, {"tracing.tracefs": FAIL}, "They are there, should you need them."),
        (OLDEST, all_of(HEADERS, FAIL), f"Yes, for {TRACEPOINTS}: see headers.tree."),
        (OLDEST, {}, f"Yes, for {TRACEPOINTS}; and they are there."),
        (OLDEST, {"headers.tree": FAIL}, f"Yes, for {TRACEPOINTS}; and they are there."),
        (
            OLD,
            all_of(BTF, FAIL) | all_of(HEADERS, FAIL),
            f"Yes, since bpftrace gets no BTF here, for {TRACEPOINTS}: see headers.tree.",
        ),
        (
            OLD,
            all_of(HEADERS, FAIL) | {"headers.intact": FAIL},
            f"No, but a broken header tree is in the way of {TRACEPOINTS}: see headers.intact.",
        ),
        (OLD, all_of(BTF, UNKNOWN) | all_of(HEADERS, FAIL), "That cannot be told here: btf.bpftrace says so."),
        (OLD, all_of(BTF, UNKNOWN) | all_of(HEADERS, UNKNOWN), "That cannot be told here: headers.tree says so."),
    ],
)  # fmt: skip
def test_the_answer(release: Behaviour, statuses: dict[str, Status], sentence: str) -> None:
    assert answer(judged([release], statuses)) == sentence


def test_btf_that_can_be_repaired_comes_before_headers() -> None:
    made = judged([OLD], all_of(BTF, FAIL) | all_of(HEADERS, FAIL))
    remedy = (Remedy("btf.point", "Point bpftrace to the file", commands=("x",)),)
    findings = tuple(replace(f, remedies=remedy) if f.id == "btf.bpftrace" else f for f in made.findings)
    assert answer(replace(made, findings=findings)) == (
        f"Not once bpftrace gets BTF: see btf.bpftrace. Without BTF yes, for {TRACEPOINTS}: see headers.tree."
    )


@pytest.mark.parametrize(
    ("required", "sentence"),
    [
        (("include",), "Yes, for #include <linux/...>: see headers.tree."),
        (("bcc-tools",), "Yes, for BCC tools: see headers.bcc."),
        (("stock-tools",), "For a part of the stock .bt tools: see headers.tree."),
        (("hello", "include"), "Yes, for #include <linux/...>: see headers.tree."),
        ((), ""),
        (("unheard-of",), ""),
    ],
)
def test_the_answer_is_about_what_is_required(required: tuple[str, ...], sentence: str) -> None:
    assert answer(replace(judged([OLD], all_of(HEADERS, FAIL)), required=required)) == sentence


def test_what_was_not_looked_at_is_not_claimed() -> None:
    fails = Capability("hello", "Hello", "bpftrace", Works.FAILS, "no", ("bpf.map",))
    made = replace(judged([NEW], {}), findings=(), capabilities=(fails,), required=("hello",))
    assert answer(made) == "That cannot be told from what was looked at."
    works_here = fails._replace(status=Works.WORKS)
    assert answer(replace(made, capabilities=(works_here,))) == "Not for the required capabilities (*)."
