"""A tool's messages: `kdiag smoke` says whether they matter here, `kdiag fix` what is gone and what stays."""

from __future__ import annotations

from kdiag.commands.messages import changes, judged_here, printed
from kdiag.knowledge.tools.messages import explain
from kdiag.model import MachineInfo, Report, Works
from kdiag.smoke.model import Outcome, Result, SmokeReport
from kdiag.smoke.text import render
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

RELEASE = "6.12.107+deb13-amd64"
WARNING = f"WARNING: Could not find kernel headers in /lib/modules/{RELEASE}/source or /lib/modules/{RELEASE}/build."
MEMLOCK = "ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. If your program is not loading"


def on(described: Description) -> Report:
    return report_on(described.recording())


def ran(name: str, *lines: str) -> Result:
    """A program that works, and says so much."""
    known = tuple(explain("\n".join(lines)))
    first = known[0] if known else None
    return Result(
        name,
        name,
        name,
        (name,),
        Outcome.WARNS if known else Outcome.WORKS,
        first.text if first else "",
        first.message.meaning if first else "",
        Works.WORKS,
        True,
        known=known,
    )


def proof(*results: Result) -> SmokeReport:
    return SmokeReport("0", "2026-01-01T00:00:00Z", MachineInfo(), results, (), 1.0)


def text(report: SmokeReport) -> str:
    return " ".join(render(report, width=100, color=False, unicode=True).split())


def old() -> Description:
    """A release that prints the warning although its scripts work."""
    return machines.bpftrace(machines.linux(RELEASE), "0.21.2")


def test_smoke_says_that_the_headers_warning_is_harmless_and_was_announced() -> None:
    shown = text(judged_here(proof(ran("hello"), ran("tracepoint-args", WARNING)), on(old())))
    assert "[1] WARNING: Could not find kernel headers" in shown
    assert "Here: harmless here, bpftrace reads the kernel's BTF" in shown
    assert "`kdiag check` announces it (headers.warning)" in shown


def test_smoke_says_where_it_comes_from_where_it_is_not_harmless() -> None:
    report = on(machines.without_btf(old()))
    shown = text(judged_here(proof(ran("tracepoint-args", WARNING)), report))
    assert "Here: because bpftrace finds no kernel headers (headers.tree)" in shown


def test_a_warning_that_was_announced_and_did_not_come_is_told() -> None:
    shown = text(judged_here(proof(ran("hello"), ran("tracepoint-args")), on(old())))
    assert "No program printed it (headers.warning)." in shown
    newer = on(machines.bpftrace(machines.linux(RELEASE), "0.24.0"))
    assert "No program printed it" not in text(judged_here(proof(ran("tracepoint-args")), newer))
    assert "No program printed it" not in text(judged_here(proof(ran("hello")), on(old())))


def test_fix_says_what_is_gone_what_stays_and_what_is_new() -> None:
    before = printed(
        [ran("hello", MEMLOCK), ran("tracepoint-args", MEMLOCK, WARNING), ran("struct", WARNING)]
    )
    with_headers = on(machines.debian_headers(old()))
    after = printed([ran("hello", MEMLOCK), ran("tracepoint-args", MEMLOCK)])
    gone, stays = changes(before, after, with_headers)
    assert gone.startswith("Gone: `WARNING: Could not find kernel headers in /lib/modules/")
    assert gone.endswith("(2 programs printed it before).")
    assert stays.startswith("Stays: `ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK")
    assert stays.endswith("(2 programs): harmless here.")
    (new,) = changes((), printed([ran("struct", WARNING)]), on(old()))
    assert new.startswith("New: `WARNING: Could not find kernel headers")
    assert "(1 program): harmless here, bpftrace reads the kernel's BTF" in new
