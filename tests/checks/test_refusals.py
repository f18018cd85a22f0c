"""What a refusal is put down to: capabilities that are missing, a filter, the kernel; never to what is held."""

from __future__ import annotations

import errno
import re

import pytest

from kdiag.model import Report, Status, Works
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

TRACING_CAPS = machines.mask("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE")
FENTRY, ITER = f"bpf:fentry:{parts.FENTRY_TEST}", f"bpf:iter:{parts.ITER_TASK}"
PROBES = (
    "bpf:map",
    "bpf:btf-ids",
    "bpf:memcg",
    "bpf:read-kernel",
    "bpf:kprobe-multi",
    *(f"bpf:prog:{kind}" for kind in ("kprobe", "tracepoint", "perf_event", "raw_tracepoint")),
    FENTRY,
    ITER,
)
PERF = ("perf:profile", "perf:bpf-output", "perf:hardware")


def filtered(described: Description) -> Description:
    """Every capability, and a seccomp filter."""
    status = parts.process_status(machines.ALL_CAPABILITIES, machines.ALL_CAPABILITIES, seccomp=2)
    return described.file("/proc/self/status", status)


def works(report: Report, capability_id: str) -> Works:
    return next(c.status for c in report.capabilities if c.id == capability_id)


# -- capabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finding_id", ["bpf.fentry", "bpf.iter", "bpf.kprobe_multi", "bpf.prog.kprobe"])
def test_missing_capabilities_are_not_put_down_to_the_kernel(finding_id: str) -> None:
    """`setpriv --bounding-set=-sys_admin,-bpf,-perfmon`."""
    described = machines.answers(
        machines.linux(), machines.without("CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON")
    )
    found = finding_of(report_on(described.recording()), finding_id)
    assert found.status is Status.FAIL
    assert "CAP_BPF and CAP_PERFMON" in found.reason and "held" not in found.reason
    assert "this kernel" not in f"{found.summary} {found.reason}"
    assert found.causes == ("privileges.capabilities",)


def test_half_of_the_capabilities() -> None:
    """CAP_BPF makes maps, and loads no program that traces."""
    described = machines.answers(machines.linux(), machines.without("CAP_SYS_ADMIN", "CAP_PERFMON"))
    report = report_on(described.recording())
    assert finding_of(report, "bpf.map").status is Status.OK
    assert "CAP_PERFMON (or CAP_SYS_ADMIN) is missing" in finding_of(report, "bpf.prog.kprobe").reason


def test_before_5_8_there_was_one_capability() -> None:
    described = machines.answers(
        machines.linux("5.4.0-216-generic"), machines.without("CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON")
    )
    reason = finding_of(report_on(described.recording()), "bpf.prog.kprobe").reason
    assert reason == "EPERM: CAP_SYS_ADMIN is missing"


def test_a_kernel_that_refuses_trampolines_is_named() -> None:
    found = finding_of(
        report_on(machines.refuse_calls(machines.linux(), errno.EPERM, FENTRY).recording()), "bpf.fentry"
    )
    assert "other programs load" in found.reason and "this kernel" in found.reason


def test_the_bounding_set_is_told() -> None:
    described = machines.answers(
        machines.linux(), machines.without("CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON")
    )
    found = finding_of(report_on(described.recording()), "privileges.capabilities")
    [seen] = [e.observed for e in found.evidence if e.source.endswith("CapBnd")]
    assert seen == "all but CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF"
    assert not any("container" in wrong.advice for wrong in found.wrong_remedies)
    inside = machines.container(machines.linux())
    found = finding_of(report_on(inside.recording()), "privileges.capabilities")
    assert any("container" in wrong.advice for wrong in found.wrong_remedies)


@pytest.mark.parametrize(("paranoid", "status"), [(3, Status.FAIL), (4, Status.FAIL), (2, Status.OK)])
def test_a_user_with_all_that_bpftrace_asks_for(paranoid: int, status: Status) -> None:
    """uid 1000, and perf_event_paranoid of 3, Debian's default: CAP_PERFMON is not enough, and attaching fails."""
    described = machines.bpftrace(machines.user(machines.linux(paranoid=paranoid), TRACING_CAPS), "0.27.1")
    report = report_on(described.recording())
    assert finding_of(report, "perf.events").status is status
    assert finding_of(report, "sysctl.kernel.perf_event_paranoid").status is status
    for capability in ("tracepoint-args", "kprobe", "profile"):
        assert works(report, capability) is (Works.WORKS if status is Status.OK else Works.FAILS), capability
    if status is Status.FAIL:
        assert "CAP_SYS_ADMIN" in finding_of(report, "perf.events").reason


def test_a_user_who_may_look_is_no_stranger_to_tracefs() -> None:
    """What is refused in spite of CAP_DAC_OVERRIDE is refused to root as well: not left to the configuration."""
    described = machines.user(machines.linux(config_at="/proc/config.gz"), TRACING_CAPS)
    described.refuse("/sys/kernel/tracing/available_filter_functions", errno.EPERM)
    assert finding_of(report_on(described.recording()), "tracing.functions").status is Status.FAIL


# -- filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("version", ["0.17.0", "0.23.2"])
def test_a_filter_on_bpf(number: int, version: str) -> None:
    """The sysctl of bpf(2) is there, so the kernel has it; all capabilities are held: it is the filter."""
    described = machines.refuse_calls(filtered(machines.bpftrace(machines.linux(), version)), number, *PROBES)
    report = report_on(described.recording())
    for finding_id in ("bpf.map", "bpf.prog.kprobe", "bpf.fentry", "bpf.kprobe_multi"):
        found = finding_of(report, finding_id)
        assert "seccomp filter of this process" in found.reason, found
        assert found.causes == ("privileges.seccomp",), found
        assert "is missing" not in found.reason and "no bpf(2)" not in found.reason
    if version == "0.17.0":
        assert "CAP_SYS_ADMIN" not in finding_of(report, "btf.bpftrace").reason
    seccomp = finding_of(report, "privileges.seccomp")
    assert seccomp.status is Status.FAIL and "bpf(2)" in seccomp.summary
    assert seccomp.remedies
    assert works(report, "hello") is Works.FAILS


def test_a_filter_on_perf_events() -> None:
    """EPERM, where perf_event_paranoid gives EACCES: and CAP_SYS_ADMIN is held."""
    described = machines.refuse_calls(filtered(machines.linux(paranoid=3)), errno.EPERM, *PERF)
    report = report_on(described.recording())
    found = finding_of(report, "perf.events")
    assert found.causes == ("privileges.seccomp",)
    assert not re.search(r"paranoid|CAP_SYS_ADMIN", found.reason)
    assert finding_of(report, "privileges.seccomp").summary == "a seccomp filter refuses perf_event_open(2)"
    assert works(report, "core-tools") is Works.CAVEAT


@pytest.mark.parametrize(
    ("kind", "says"),
    [("docker", "seccomp=unconfined"), ("podman", "podman run"), ("kubernetes", "no seccomp filter")],
)
def test_what_helps_against_a_filter_depends_on_the_place(kind: str, says: str) -> None:
    described = machines.container(machines.linux(), machines.ALL_CAPABILITIES, kind=kind)
    if kind == "kubernetes":
        described.env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    report = report_on(machines.refuse_calls(filtered(described), errno.EPERM, *PROBES).recording())
    remedy = finding_of(report, "privileges.seccomp").remedies[0]
    assert says in f"{remedy.title} {' '.join(remedy.commands)}"


def test_a_kernel_without_the_call() -> None:
    described = machines.linux(options={"BPF_SYSCALL": "n"}).remove(
        "/proc/sys/kernel/unprivileged_bpf_disabled"
    )
    report = report_on(machines.refuse_calls(described, errno.ENOSYS, *PROBES).recording())
    found = finding_of(report, "bpf.map")
    assert found.reason == "ENOSYS: this kernel has no bpf(2) (CONFIG_BPF_SYSCALL)"
    assert found.causes == ("config.BPF_SYSCALL",)
    assert finding_of(report, "privileges.seccomp").status is Status.OK


def test_a_filter_that_lets_all_through_is_only_mentioned() -> None:
    assert (
        finding_of(report_on(filtered(machines.linux()).recording()), "privileges.seccomp").status
        is Status.WARN
    )


def test_a_security_module_is_what_is_left() -> None:
    report = report_on(machines.refuse_calls(machines.linux(), errno.EACCES, "bpf:map").recording())
    assert "security module" in finding_of(report, "bpf.map").reason
