"""What is said in a container: the one thing that refuses, and one line that starts it with all that it needs.

What the engines' filters and profiles answer was seen under docker.io 26.1.5 and podman 5.4.2 in booted Debian guests.
"""

from __future__ import annotations

import errno

import pytest

from kdiag.model import Report, Status, Works
from kdiag.remedies import container as container_run
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

DEFAULT = machines.CONTAINER_CAPABILITIES
ADMIN, HALF = machines.mask("CAP_SYS_ADMIN"), machines.mask("CAP_BPF", "CAP_PERFMON")
TRACEFS = "-v /sys/kernel/tracing:/sys/kernel/tracing:ro"
DOCKER = f"docker run --cap-add SYS_ADMIN {TRACEFS} IMAGE"
PODMAN = f"podman run --cap-add SYS_ADMIN,PERFMON {TRACEFS} IMAGE"
PERF = ("perf:profile", "perf:bpf-output", "perf:hardware", "perf:reached")
BPF = ("bpf:map", "bpf:reached", *(f"bpf:prog:{kind}" for kind in ("kprobe", "tracepoint", "raw_tracepoint")))


EVENTS = ("syscalls/sys_enter_openat", "sock/inet_sock_set_state", "sched/sched_process_fork")


def container(
    kind: str, held: int, *, tracefs: bool = False, paranoid: int = 3, confined: bool = True
) -> Description:
    """An engine's container with bpftrace 0.23; confined: by its filter and by its AppArmor profile."""
    described = machines.container(machines.linux(paranoid=paranoid), held, kind=kind)
    if tracefs:
        machines.mounted(described, debugfs=False)
    if confined:
        status = described.nodes["/proc/self/status"].data.decode()
        described.file("/proc/self/status", status.replace("Seccomp:\t0", "Seccomp:\t2"))
        described.file(
            "/proc/self/attr/current", f"{'docker' if kind == 'docker' else 'containers'}-default (enforce)\n"
        )
    return machines.bpftrace(described, "0.23.2")


def first_command(report: Report, finding_id: str) -> str:
    return finding_of(report, finding_id).remedies[0].commands[0]


def commands_here(report: Report) -> str:
    return " ".join(c for f in report.findings for r in f.remedies if r.run_on == "here" for c in r.commands)


@pytest.mark.parametrize(("kind", "line"), [("docker", DOCKER), ("podman", PODMAN)])
def test_one_line_for_all_that_is_missing(kind: str, line: str) -> None:
    """Nothing given: who follows the line is not sent back for tracefs, nor for the sysctl."""
    report = report_on(container(kind, DEFAULT).recording())
    for finding_id in ("privileges.capabilities", "tracing.tracefs", "sysctl.kernel.perf_event_paranoid"):
        assert first_command(report, finding_id) == line, finding_id
    assert report.verdict.next == line
    assert "--privileged" not in line
    assert "sysctl -w" not in commands_here(report) and "mount -t" not in commands_here(report)


def test_the_capabilities_that_are_given_already_stay_in_the_line() -> None:
    report = report_on(container("docker", DEFAULT | HALF).recording())
    assert first_command(report, "tracing.tracefs") == DOCKER


def test_less_is_enough_where_the_kernel_asks_for_less() -> None:
    report = report_on(container("docker", DEFAULT, paranoid=2).recording())
    line = f"docker run --cap-add BPF --cap-add PERFMON {TRACEFS} IMAGE"
    assert first_command(report, "privileges.capabilities") == line


def test_mounting_is_not_advised_where_the_profile_refuses_it() -> None:
    """CAP_SYS_ADMIN is held, and mount(2) answers EACCES: AppArmor's `deny mount`."""
    found = finding_of(report_on(container("docker", DEFAULT | ADMIN).recording()), "tracing.tracefs")
    assert [r.commands for r in found.remedies] == [(DOCKER,)]
    [wrong] = found.wrong_remedies
    assert wrong.advice.startswith("mount -t tracefs") and "AppArmor (docker-default)" in wrong.why


def test_mounting_is_the_smallest_where_nothing_refuses_it() -> None:
    """--privileged."""
    described = container("docker", machines.ALL_CAPABILITIES, confined=False)
    found = finding_of(report_on(described.recording()), "tracing.tracefs")
    assert found.remedies[0].commands == ("sudo mount -t tracefs tracefs /sys/kernel/tracing",)
    assert not found.wrong_remedies


@pytest.mark.parametrize(("number", "held"), [(errno.EPERM, HALF), (errno.ENOSYS, ADMIN)])
def test_podmans_filter_refuses_perf_events(number: int, held: int) -> None:
    """Without SYS_ADMIN it says EPERM, without PERFMON ENOSYS; the kernel itself would say EACCES."""
    described = machines.refuse_calls(container("podman", DEFAULT | held, tracefs=True), number, *PERF)
    report = report_on(described.recording())
    found = finding_of(report, "perf.events")
    assert "seccomp filter" in found.reason and found.causes[0] == "privileges.seccomp"
    assert "CONFIG" not in found.reason and "missing" not in found.reason
    assert finding_of(report, "privileges.seccomp").status is Status.FAIL
    assert first_command(report, "privileges.seccomp") == PODMAN
    assert finding_of(report, "privileges.lsm").status is Status.WARN


def test_a_refusal_by_the_sysctl_is_not_the_filters() -> None:
    """docker with BPF and PERFMON: the call reaches the kernel, which says EACCES."""
    described = container("docker", DEFAULT | HALF, tracefs=True).probe("perf:reached", errno.EINVAL)
    report = report_on(described.recording())
    assert finding_of(report, "perf.events").causes[0] == "sysctl.kernel.perf_event_paranoid"
    assert finding_of(report, "privileges.seccomp").status is Status.WARN


def test_a_tightened_filter_is_taken_away() -> None:
    """All that the line would give is held, and the filter refuses bpf(2) all the same."""
    described = machines.refuse_calls(container("docker", DEFAULT | ADMIN, tracefs=True), errno.EPERM, *BPF)
    line = first_command(report_on(described.recording()), "privileges.seccomp")
    assert line == DOCKER.replace(" -v", " --security-opt seccomp=unconfined -v")


@pytest.mark.parametrize(
    ("label", "by", "option"),
    [
        ("docker-default (enforce)\n", "AppArmor (docker-default)", "apparmor=unconfined"),
        ("system_u:system_r:container_t:s0:c12,c34\0", "SELinux (container_t)", "label=disable"),
    ],
)
def test_a_module_that_refuses_although_the_call_arrives(label: str, by: str, option: str) -> None:
    """EPERM with the capability held, and no filter before the call: the module denies the capability."""
    described = container("docker", DEFAULT | ADMIN, tracefs=True).file("/proc/self/attr/current", label)
    machines.refuse_calls(described, errno.EPERM, *BPF).probe("bpf:reached", errno.EBADF)
    report = report_on(described.recording())
    found = finding_of(report, "privileges.lsm")
    assert found.status is Status.FAIL and found.summary.startswith(f"{by} refuses bpf(2)")
    assert finding_of(report, "bpf.map").causes == ("privileges.lsm",)
    assert finding_of(report, "privileges.seccomp").status is Status.WARN
    assert f"--security-opt {option}" in first_command(report, "privileges.lsm")


def test_rootless_is_told_to_start_it_as_root() -> None:
    status = container("podman", DEFAULT).nodes["/proc/self/status"].data
    described = machines.userns(container("podman", DEFAULT)).file("/proc/self/status", status)
    report = report_on(described.recording())
    assert "user namespace" in report.verdict.summary
    assert report.verdict.next == f"sudo {PODMAN}"
    assert not finding_of(report, "privileges.capabilities").remedies
    assert finding_of(report, "privileges.capabilities").causes == ("privileges.userns",)


def test_a_remapped_engine_of_root_gives_back_the_namespace() -> None:
    """dockerd --userns-remap: a range of /etc/subuid, and no ordinary user outside."""
    described = machines.userns(container("docker", DEFAULT)).file("/proc/self/uid_map", "0 100000 65536\n")
    line = first_command(report_on(described.recording()), "privileges.userns")
    assert line == DOCKER.replace("run", "run --userns=host")


def test_before_5_8_the_filter_of_the_engine_knows_one_capability() -> None:
    described = machines.container(machines.linux("5.4.0-216-generic"), DEFAULT)
    line = first_command(report_on(described.recording()), "privileges.capabilities")
    assert line == DOCKER.replace(" -v", " --cap-add SYS_RESOURCE -v")


def test_lockdown_is_not_to_be_seen_for_the_reason_that_the_call_gives() -> None:
    found = finding_of(report_on(container("docker", DEFAULT).recording()), "kernel.lockdown")
    assert found.causes == ("privileges.capabilities",)
    assert not found.remedies and not found.with_root


def test_a_module_that_keeps_tracefs_closed() -> None:
    """`deny /sys/kernel/tracing/** r,`: bpf(2) and perf_event_open(2) work, and no file of tracefs opens."""
    described = container("docker", DEFAULT | ADMIN, tracefs=True)
    root = "/sys/kernel/tracing"
    for name in ("available_filter_functions", *(f"events/{event}/id" for event in EVENTS)):
        described.refuse(f"{root}/{name}", errno.EACCES)
    report = report_on(described.recording())
    for finding_id in ("tracing.functions", "tracing.syscalls", "tracing.sched"):
        assert finding_of(report, finding_id).causes == ("privileges.lsm",), finding_id
    assert "AppArmor (docker-default)" in finding_of(report, "tracing.functions").reason
    assert finding_of(report, "privileges.lsm").summary == "AppArmor (docker-default) refuses tracefs"
    assert first_command(report, "privileges.lsm") == DOCKER.replace(
        " -v", " --security-opt apparmor=unconfined -v"
    )


@pytest.mark.parametrize(("release", "offered"), [("6.12.107+deb13-amd64", True), ("6.1.0-40-amd64", False)])
def test_a_token_is_offered_where_the_kernel_has_them(release: str, offered: bool) -> None:
    described = machines.userns(machines.container(machines.linux(release), DEFAULT, kind="lxc"))
    described.file("/run/systemd/container", "lxc\n")
    found = finding_of(report_on(described.recording()), "privileges.userns")
    tokens = [r for r in found.remedies if r.id == "privileges.token"]
    assert bool(tokens) is offered
    assert all("delegate_cmds" in r.commands[0] and "not for tracepoints" in r.title for r in tokens)
    assert found.remedies[0].id == container_run.RUN, "the token is not enough for what is required"


def test_a_token_that_is_delegated() -> None:
    described = machines.userns(machines.container(machines.linux(), DEFAULT))
    options = "rw,delegate_cmds=map_create:prog_load,delegate_progs=kprobe:tracing"
    lines = described.nodes["/proc/self/mountinfo"].data.decode()
    described.file("/proc/self/mountinfo", f"{lines}30 23 0:60 / /sys/fs/bpf rw - bpf bpf {options}\n")
    report = report_on(described.recording())
    found = finding_of(report, "privileges.token")
    assert found.status is Status.OK and "delegate_progs=kprobe:tracing" in found.evidence[0].observed
    assert not [r for r in finding_of(report, "privileges.userns").remedies if r.id == "privileges.token"]
    assert finding_of(report_on(machines.linux().recording()), "privileges.token").status is Status.OK


def test_btf_that_the_caller_may_not_list_is_no_reason_for_headers() -> None:
    """bpftrace 0.17 asks for BTF by id, which requires CAP_SYS_ADMIN: given, and nothing of the host's files."""
    described = machines.bpftrace(container("docker", DEFAULT), "0.17.0")
    assert first_command(report_on(described.recording()), "privileges.capabilities") == DOCKER


def test_an_engine_that_does_not_know_the_capability() -> None:
    """docker.io 20.10.24: `invalid CapAdd: unknown capability: "CAP_BPF"`."""
    first, older = finding_of(
        report_on(container("docker", DEFAULT, paranoid=2).recording()), "privileges.capabilities"
    ).remedies
    assert "--cap-add BPF" in first.commands[0]
    assert older.commands == (DOCKER,) and "CAP_BPF" in older.title


@pytest.mark.parametrize(("number", "status"), [(errno.EACCES, Status.FAIL), (0, Status.OK)])
def test_events_that_open_and_cannot_be_used(number: int, status: Status) -> None:
    """Debian's SELinux policy, enforcing: unconfined_t opens events, and may not write to them (ioctl)."""
    described = machines.bpftrace(machines.linux(), "0.23.2")
    described.file("/sys/module/apparmor/parameters/enabled", "N\n").file("/sys/fs/selinux/enforce", "1")
    described.file("/proc/self/attr/current", "system_u:system_r:unconfined_t:s0\n")
    report = report_on(described.probe("perf:ioctl", number, "ioctl").recording())
    assert finding_of(report, "perf.events").status is status
    assert finding_of(report, "privileges.lsm").status is status
    works = {c.id: c.status is Works.WORKS for c in report.capabilities}
    assert works["hello"] and works["tracepoint-args"] is (status is Status.OK)
    if status is Status.FAIL:
        assert (
            finding_of(report, "privileges.lsm").summary
            == "SELinux (unconfined_t) refuses the use of perf events"
        )
