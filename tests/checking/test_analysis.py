"""From findings to the verdict: ready, not ready, cannot tell; the next command; what a finding affects."""

from __future__ import annotations

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.capabilities.expression import AS_FAR_AS_SEEN
from kdiag.capabilities.verdict import judge
from kdiag.checking.analysis import analyse
from kdiag.checking.selection import choose
from kdiag.machine import Machine
from kdiag.model import Capability, Finding, Readiness, Remedy, Report, Status, Works, fail, unknown
from kdiag.report.story.grade import Grade, grades
from kdiag.report.story.order import in_the_way
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import Examine, builtin


def capability(capability_id: str, status: Works, *findings: str) -> Capability:
    return Capability(
        capability_id, capability_id, "bpftrace", status, f"because of {status.value}", findings
    )


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((Works.WORKS, Works.WORKS), Readiness.READY),
        ((Works.WORKS, Works.CAVEAT), Readiness.READY),
        ((Works.WORKS, Works.UNKNOWN), Readiness.UNKNOWN),
        ((Works.UNKNOWN, Works.FAILS), Readiness.NOT_READY),
        ((Works.FAILS, Works.FAILS), Readiness.NOT_READY),
    ],
)
def test_verdict(statuses: tuple[Works, Works], verdict: Readiness) -> None:
    capabilities = [
        capability("a", statuses[0]),
        capability("b", statuses[1]),
        capability("other", Works.FAILS),
    ]
    assert judge(capabilities, [], ("a", "b"), {}).status is verdict


def test_only_required_ones_count() -> None:
    capabilities = [capability("a", Works.WORKS), capability("b", Works.FAILS)]
    assert judge(capabilities, [], ("a",), {}).status is Readiness.READY
    assert judge(capabilities, [], ("b",), {}).status is Readiness.NOT_READY


def test_the_next_command_mends_the_cause() -> None:
    """Not the symptom's, although that is what decided."""
    cause = fail("cause", id="x.cause", remedies=(Remedy("r1", "mend it", commands=("mend-the-cause",)),))
    symptom = fail(
        "symptom",
        id="x.symptom",
        causes=("x.cause",),
        remedies=(Remedy("r2", "paper over", commands=("symptom-only",)),),
    )
    report = judge(
        [capability("a", Works.FAILS, "x.symptom")],
        [symptom, cause],
        ("a",),
        {"x.cause": ("a",), "x.symptom": ("a",)},
    )
    assert "mend-the-cause" in report.next


def test_without_a_remedy_there_is_still_a_next_step() -> None:
    verdict = judge([capability("a", Works.UNKNOWN, "x")], [unknown("?", id="x")], ("a",), {})
    assert verdict.next.startswith("kdiag ")


def test_ready(examine: Examine) -> None:
    report = examine(machines.bpftrace(machines.linux(), "0.23.2"))
    assert report.required == DEFAULT_REQUIRED
    assert report.verdict.status is Readiness.READY
    assert report.verdict.next.startswith("kdiag")
    assert "4" in report.verdict.summary


@pytest.mark.parametrize(
    ("build", "command"),
    [
        (lambda: machines.bpftrace(machines.unmounted(machines.linux()), "0.23.2"), "mount -t tracefs"),
        (known.wrong_recipe, "unset BPFTRACE_KERNEL_SOURCE"),
        (machines.linux, "apt-get install bpftrace"),
        (known.debian_11, "BPFTRACE_BTF=/sys/kernel/btf/vmlinux"),
        (lambda: known.debian_12("arch"), "linux-headers-6.1.0-50-common"),
        (known.bullseye, "linux-headers-5.10.0-32-amd64"),
    ],
)
def test_the_next_command_is_the_right_one(build: object, command: str, examine: Examine) -> None:
    assert callable(build)
    described = build()
    assert isinstance(described, Description)
    report = examine(described)
    assert report.verdict.status is Readiness.NOT_READY
    assert command in report.verdict.next, report.verdict


@pytest.mark.parametrize("build", [known.gvisor, known.wsl1])
def test_where_nothing_helps_nothing_is_mounted(build: object, examine: Examine) -> None:
    assert callable(build)
    report = examine(build())
    assert "mount" not in report.verdict.next, report.verdict
    commands = [c for f in report.findings for r in f.remedies for c in r.commands]
    assert not [c for c in commands if "mount -t" in c], commands


def test_root_would_see_more(examine: Examine) -> None:
    """An ordinary user learns what would work for root."""
    report = examine(machines.bpftrace(machines.user(machines.linux(config_at="/proc/config.gz")), "0.23.2"))
    by_id = {c.id: c for c in report.capabilities}
    assert by_id["hello"].status is Works.FAILS
    assert by_id["hello"].with_root is Works.WORKS
    assert by_id["tracepoint-args"].with_root is Works.WORKS
    assert report.verdict.next.startswith("sudo ")


def test_as_root_there_is_no_other_answer(examine: Examine) -> None:
    report = examine(machines.bpftrace(machines.linux(), "0.23.2"))
    assert {c.with_root for c in report.capabilities} == {None}


def test_blocks_name_what_a_finding_affects(examine: Examine) -> None:
    report = examine(machines.bpftrace(machines.unmounted(machines.linux()), "0.27.1"))
    assert {"hello", "tracepoint-args"} <= set(report.blocks["tracing.tracefs"])
    fine = {f.id for f in report.findings if f.status in (Status.OK, Status.SKIP)}
    assert not fine & report.blocks.keys()


def selected(
    described: Description, *only: str, skip: tuple[str, ...] = (), require: tuple[str, ...] = ()
) -> Report:
    registry = builtin()
    return analyse(Machine(described.recording()), registry, choose(registry.checks, only, skip), require)


def test_a_selection_is_a_gate() -> None:
    """What was selected is judged; what was not looked at is no row, and no way out."""
    fine = machines.bpftrace(machines.linux(), "0.23.2")
    report = selected(fine, "btf.*", require=("struct",))
    assert report.verdict.status is Readiness.READY and AS_FAR_AS_SEEN in report.verdict.summary
    [row] = [c for c in report.capabilities if c.id == "struct"]
    assert (row.status, row.because) == (Works.CAVEAT, AS_FAR_AS_SEEN), "never a tick by omission"
    without = machines.bpftrace(machines.without_btf(machines.linux()), "0.23.2")
    report = selected(without, "btf.*", require=("tracepoint-args",))
    assert report.verdict.status is Readiness.NOT_READY, "headers might do instead, and nobody looked"


def test_a_selection_without_anything_that_is_required_is_judged_by_its_findings() -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2")
    report = selected(described, "tools.clang")
    assert report.verdict.status is Readiness.READY and not report.capabilities
    report = selected(described, "tools.bcc")
    assert (report.verdict.status, report.verdict.summary) == (Readiness.NOT_READY, "BCC is not installed")
    assert "install" in report.verdict.next
    assert [f.id for f in in_the_way(report)] == ["tools.bcc"]
    assert grades(report).findings["tools.bcc"] is Grade.ERROR, "a job that fails says why"


def test_to_skip_one_finding_keeps_its_siblings() -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2")
    report = selected(described, skip=("tracing.sock", "perf.output"))
    ids = {f.id for f in report.findings}
    assert {"tracing.syscalls", "tracing.sched", "perf.events"} <= ids and not {
        "tracing.sock",
        "perf.output",
    } & ids
    assert report.verdict.status is Readiness.READY
    assert {f.id for f in selected(described, "perf.output").findings} == {"perf.output"}


@pytest.mark.parametrize("release", ["unknown", "v99.1.0", "v0.9.4"])
def test_releases_beyond_the_table(release: str, examine: Examine) -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2").command(
        "/usr/bin/bpftrace --version", f"bpftrace {release}\n"
    )
    report = examine(described)
    assert len(report.capabilities) == len(DEFINITIONS)
    if release == "unknown":
        # Debian's package database knows which one it is only if it owns the program.
        assert report.finding("tools.bpftrace") is not None


def test_without_a_version_only_what_holds_for_every_release_is_told(examine: Examine) -> None:
    described = (
        machines.linux().program("bpftrace", "/opt/bpftrace").command("/opt/bpftrace --version", "no idea\n")
    )
    by_id = {c.id: c for c in examine(described).capabilities}
    assert by_id["tracepoint-args"].status is Works.UNKNOWN, "0.11 needs headers here, 0.23 does not"
    assert by_id["rawtracepoint"].status is Works.UNKNOWN, "0.17 has none"
    assert "release" in by_id["rawtracepoint"].because


def test_findings_of_the_report_can_be_asked_for(examine: Examine) -> None:
    report = examine(machines.linux())
    found = report.finding("btf.vmlinux")
    assert isinstance(found, Finding)
    assert report.finding("no.such") is None
