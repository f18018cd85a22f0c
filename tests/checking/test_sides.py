"""Every answer says which side it is from where a container can see its host; elsewhere nothing is said of sides."""

from __future__ import annotations

import json

import pytest

from kdiag.checking.sides import side_of
from kdiag.model import Evidence, Report
from kdiag.report.document import document, load
from kdiag.report.formats import Options, render_as
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

RELEASE = "6.12.107+deb13-amd64"


def pod(options: str = "ro", *, capabilities: int = machines.ALL_CAPABILITIES) -> Description:
    """A pod of Alpine on a node of Debian."""
    described = machines.linux(RELEASE, config_at=None)
    machines.container(described, capabilities)
    described.file("/etc/os-release", machines.os_release("alpine", "3.22", "Alpine Linux v3.22"))
    mounts = described.nodes["/proc/self/mountinfo"].data.decode()
    described.file("/proc/self/mountinfo", f"{mounts}99 21 254:2 / /host {options} - ext4 /dev/vda1 rw\n")
    described.file("/host/etc/os-release", machines.DEBIAN["13"]).dir("/host/usr/bin")
    described.file(f"/host/lib/modules/{RELEASE}/modules.dep").file("/host/var/lib/dpkg/status", "")
    return machines.bpftrace(described, "0.23.2")


def text_of(report: Report) -> str:
    return render_as("text", report, Options(110, False, True, True))


def test_every_finding_of_a_pod_has_its_side() -> None:
    report = report_on(pod().recording())
    assert all(finding.side for finding in report.findings)
    sides = {item.side for finding in report.findings for item in finding.evidence}
    assert sides == {"kernel", "host", "here", ""}
    tables = {item.source for finding in report.findings for item in finding.evidence if not item.side}
    assert tables == {"knowledge", "decided by"}
    assert {e.side for f in report.findings for e in f.evidence if e.source.startswith("/host/")} == {"host"}


def test_the_document_says_the_sides_and_gives_them_back() -> None:
    report = report_on(pod().recording())
    written = json.dumps(document(report))
    assert json.loads(written)["machine"]["host"] == "Debian GNU/Linux 13 (trixie), in /host"
    read = load(written)
    assert [f.side for f in read.findings] == [f.side for f in report.findings]
    assert finding_of(read, "environment.host").evidence[0].side == "here"


def test_the_text_says_the_sides() -> None:
    told = text_of(report_on(pod().recording()))
    assert "host Debian GNU/Linux 13 (trixie), in /host" in told.replace("\n  ", " ")
    assert f"/host/lib/modules/{RELEASE} [host]: exists" in told
    assert "here, not on the host" in told


def test_without_a_host_nothing_is_said_of_sides() -> None:
    report = report_on(known.complete().recording())
    written = json.dumps(document(report))
    assert '"side"' not in written and '"host"' not in written
    assert not any(f.side for f in report.findings)


@pytest.mark.parametrize(
    ("source", "side"),
    [
        ("/host/boot/config-6.12", "host"),
        ("/host", "host"),
        ("/hosts", "here"),
        ("/proc/self/status", "here"),
        ("/proc/1/environ", "here"),
        ("/dev/fd", "here"),
        ("/proc/config.gz", "kernel"),
        ("/sys/kernel/btf/vmlinux", "kernel"),
        ("uname -r", "kernel"),
        ("bpf(2)", "kernel"),
        ("/etc/os-release", "here"),
        ("$BPFTRACE_BTF", "here"),
        ("ELF machine of the interpreter", "here"),
        ("knowledge", ""),
        ("decided by", ""),
        ("the kernel's log", "kernel"),
    ],
)
def test_the_side_of_a_place(source: str, side: str) -> None:
    assert side_of(Evidence(source, "seen"), "/host", "kernel") == side


@pytest.mark.parametrize(
    ("change", "way"),
    [
        (lambda d: d.link("/proc/self/ns/pid", "pid:[4026531836]"), "nsenter --target 1 --mount --"),
        (lambda d: None, ""),
    ],
)
def test_a_command_for_the_host_says_how_it_is_typed_from_here(change: object, way: str) -> None:
    described = pod()
    assert callable(change)
    change(described)
    package = finding_of(report_on(described.recording()), "headers.package")
    assert package.remedies[0].run_on == (f"the host (from here: {way} COMMAND)" if way else "the host")


def test_chroot_is_said_where_the_mount_can_be_written_and_the_call_is_allowed() -> None:
    run_on = [
        finding_of(report_on(one.recording()), "headers.package").remedies[0].run_on
        for one in (pod("rw"), pod("rw", capabilities=machines.CONTAINER_CAPABILITIES & ~(1 << 18)))
    ]
    assert run_on == ["the host (from here: chroot /host COMMAND)", "the host"]
