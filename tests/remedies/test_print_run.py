"""`kdiag check --print-run`: the smallest line for what is required on this kernel, in the engine's own words."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from kdiag.capabilities import settings
from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.checking.analysis import behaviours_of, run_line
from kdiag.knowledge.container_settings import SETTINGS
from kdiag.machine import Machine
from kdiag.remedies import container
from kdiag.system import Unavailable
from tests.support import machines
from tests.support.description import Description
from tests.support.paths import REPOSITORY
from tests.support.reports import report_on

TRACEFS = "-v /sys/kernel/tracing:/sys/kernel/tracing:ro"
FILES = "-v /lib/modules:/lib/modules:ro -v /usr/src:/usr/src:ro"


def host(version: str = "0.23.2", *, paranoid: int = 3) -> Description:
    return machines.bpftrace(machines.linux(paranoid=paranoid), version)


def line(described: Description, engine: str, *required: str) -> str:
    report = report_on(described.recording(), required or DEFAULT_REQUIRED)
    return run_line(Machine(described.recording()), report, engine)


@pytest.mark.parametrize(
    ("paranoid", "engine", "said"),
    [
        (3, "docker", f"docker run --cap-add SYS_ADMIN {TRACEFS} IMAGE"),
        (2, "docker", f"docker run --cap-add BPF --cap-add PERFMON {TRACEFS} IMAGE"),
        (3, "podman", f"podman run --cap-add SYS_ADMIN,PERFMON {TRACEFS} IMAGE"),
        (2, "podman", f"podman run --cap-add SYS_ADMIN,PERFMON {TRACEFS} IMAGE"),
    ],
)
def test_a_first_session(paranoid: int, engine: str, said: str) -> None:
    assert line(host(paranoid=paranoid), engine) == said


@pytest.mark.parametrize(
    ("version", "required", "said"),
    [
        ("0.23.2", "hello", "--cap-add BPF --cap-add PERFMON"),
        ("0.17.0", "hello", "--cap-add SYS_ADMIN"),  # prints through perf events
        ("0.27.1", "hello", f"--cap-add BPF --cap-add PERFMON {TRACEFS}"),  # requires tracefs at its start
        ("0.23.2", "kstack", "--cap-add SYS_ADMIN --cap-add SYSLOG"),
        ("0.23.2", "include", f"--cap-add BPF --cap-add PERFMON {FILES}"),
        ("0.11.3", "tracepoint-net", "-v /sys/kernel/debug:/sys/kernel/debug:ro"),  # looks nowhere else
    ],
)
def test_no_more_than_is_required(version: str, required: str, said: str) -> None:
    whole = line(host(version), "docker", required)
    assert said in whole
    if version != "0.11.3":
        assert whole == f"docker run {said} IMAGE"


def test_headers_come_in_where_the_kernel_has_no_btf() -> None:
    described = machines.without_btf(host("0.17.0"))
    assert line(described, "docker").endswith(f"{TRACEFS} {FILES} IMAGE")


def test_btf_that_is_only_hidden_is_not_replaced_by_headers() -> None:
    described = machines.mounted(machines.container(machines.linux(paranoid=3)))
    mounts = (
        described.nodes["/proc/self/mountinfo"].data + b"30 23 0:60 / /sys/kernel/btf rw - tmpfs tmpfs rw\n"
    )
    machines.bpftrace(described.remove("/sys/kernel/btf"), "0.23.2").file("/proc/self/mountinfo", mounts)
    assert FILES not in line(described, "docker")
    found = report_on(described.recording()).finding("btf.vmlinux")
    assert found is not None and "hidden" in found.summary and "tmpfs" in found.reason
    assert found.remedies[0].run_on == "the host", "CAP_SYS_ADMIN is not held: umount(2) cannot work"


def test_a_pod() -> None:
    text = line(host(paranoid=2), "kubernetes")
    assert "          add: [BPF, PERFMON]\n" in text
    assert "          mountPath: /sys/kernel/tracing\n          readOnly: true\n" in text
    assert "privileged" not in text and "hostPID" not in text and "seccompProfile" not in text


def test_cri_o_has_podmans_filter() -> None:
    described = machines.container(machines.linux(paranoid=2), kind="kubernetes").env(
        "KUBERNETES_SERVICE_HOST", "::1"
    )
    overlay = "21 1 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/containers/storage/overlay/l/A\n"
    described.file("/proc/self/mountinfo", overlay)
    assert "add: [SYS_ADMIN, PERFMON]" in line(described, "kubernetes")


def test_an_ordinary_user_of_podman_starts_it_as_root() -> None:
    assert line(machines.user(host()), "podman").startswith("sudo podman run ")


@pytest.mark.parametrize("change", ["lockdown", "gvisor"])
def test_a_kernel_that_no_setting_helps(change: str) -> None:
    described = host()
    if change == "lockdown":
        machines.lockdown(described, "confidentiality")
    else:
        described.file("/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
    with pytest.raises(Unavailable, match="no container can do what is required"):
        line(described, "docker")
    inside = machines.container(machines.lockdown(machines.linux(), "confidentiality"))
    inside.probe("bpf:read-kernel", errno.EINVAL).probe("bpf:read-any", errno.EINVAL)
    for kind in ("kprobe", "tracepoint", "raw_tracepoint"):
        inside.probe(f"bpf:prog:{kind}")
    report = report_on(inside.recording())
    assert not [r for f in report.findings for r in f.remedies if r.id == container.RUN]


def test_a_first_session_needs_settings_that_are_known() -> None:
    assert set(SETTINGS) > container.TRACING


def test_more_is_never_needed_than_by_all_together() -> None:
    described = host()
    report = report_on(described.recording())
    known = behaviours_of(Machine(described.recording()))
    every = settings.needed(report.findings, known, [d.id for d in DEFINITIONS])
    for definition in DEFINITIONS:
        assert settings.needed(report.findings, known, [definition.id]) <= every, definition.id


def kdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kdiag", "check", "--print-run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def test_on_the_command_line() -> None:
    answer = kdiag("docker", "--from", "fixtures/kind-node")
    assert answer.returncode == 0
    assert answer.stdout == f"docker run --cap-add BPF --cap-add PERFMON {TRACEFS} IMAGE\n"
    assert kdiag("lxc").returncode == 2
    assert kdiag("docker", "--format", "json").returncode == 2
    refused = kdiag("docker", "--from", "fixtures/talos")
    assert (refused.returncode, refused.stdout) == (1, "") and "locked down" in refused.stderr
