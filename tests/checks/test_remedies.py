"""Remedies fit the machine: nothing that cannot work here, nothing for what is no problem, each at the right place."""

from __future__ import annotations

import re
import shlex

import pytest

from kdiag.model import Remedy, Report, Status
from tests.support import known_machines as known
from tests.support import machines
from tests.support.kernel_parts import process_status
from tests.support.reports import Examine


def remedies(report: Report, finding_id: str = "") -> list[Remedy]:
    return [r for f in report.findings for r in f.remedies if finding_id in ("", f.id)]


def commands(report: Report, finding_id: str = "") -> list[str]:
    return [command for remedy in remedies(report, finding_id) for command in remedy.commands]


def words(report: Report) -> str:
    return " ".join([r.title + " " + " ".join(r.commands) for r in remedies(report)])


def test_a_reboot_instead_of_packages_of_the_next_kernel(examine: Examine) -> None:
    report = examine(known.arch_upgraded())
    assert any("reboot" in command for command in commands(report, "kernel.rebooted"))
    assert not [c for c in commands(report) if "pacman -S linux-headers" in c], commands(report)


def test_no_claim_about_an_option_that_nobody_read(examine: Examine) -> None:
    """A kind node on Ubuntu: the module is in a package that is not installed; that is not "off"."""
    report = examine(known.kind_node())
    for finding in report.findings:
        assert "CONFIG_IKHEADERS is off" not in f"{finding.summary} {finding.reason}", finding
        assert not any("CONFIG_IKHEADERS is off" in wrong.why for wrong in finding.wrong_remedies), finding


def test_root_is_not_told_to_weaken_the_machine(examine: Examine) -> None:
    """perf_event_paranoid of 3 or 4 is no problem for one who has CAP_SYS_ADMIN."""
    report = examine(known.ubuntu_2404())
    found = report.finding("sysctl.kernel.perf_event_paranoid")
    assert found is not None
    assert found.status is Status.OK, found
    assert not [c for c in commands(report) if "perf_event_paranoid" in c]


def test_a_pod_cannot_set_sysctls_or_mount(examine: Examine) -> None:
    """/proc/sys is read-only there, and mounting needs CAP_SYS_ADMIN."""
    for remedy in remedies(examine(known.kubernetes_pod())):
        if any("sysctl -w" in c or "mount -t" in c for c in remedy.commands):
            assert remedy.run_on != "here", remedy


def test_container_optimized_os_is_told_where_its_headers_are(examine: Examine) -> None:
    report = examine(known.cos())
    assert "cos-tools/17162.40.5" in words(report) or "kdiag fix" in words(report)
    here = [c for f in report.findings for r in f.remedies if r.run_on == "here" for c in r.commands]
    assert not [c for c in here if re.search(r"\b(apt|apt-get|dnf|yum)\b", c)]
    assert "apt-get install bpftrace" in commands(report), "in the node's toolbox, which is Debian's"


@pytest.mark.parametrize("name", ["wsl2-5.15", "wsl2-6.18", "wsl2-6.18-uapi"])
def test_wsl_is_no_container_of_docker(name: str, examine: Examine) -> None:
    report = examine(known.BY_NAME[name]())
    assert not [c for c in commands(report) if "docker" in c or "linux-headers" in c], commands(report)
    assert "container of an unknown kind" not in words(report)


@pytest.mark.parametrize("name", known.BY_NAME)
def test_every_remedy_can_be_carried_out(name: str, examine: Examine) -> None:
    """Each has a title and a place; commands are whole shell words; who needs root says so."""
    report = examine(known.BY_NAME[name]())
    for remedy in remedies(report):
        assert remedy.title
        assert remedy.run_on
        assert remedy.kind in ("safe", "unsafe", "manual"), remedy
        for command in remedy.commands:
            assert shlex.split(command), command
            assert "\n" not in command
            if command.startswith("sudo "):
                assert "root" in remedy.needs or remedy.run_on != "here", remedy


@pytest.mark.parametrize("name", known.BY_NAME)
def test_no_remedy_is_also_the_wrong_one(name: str, examine: Examine) -> None:
    """What is warned against is not offered in the same report."""
    report = examine(known.BY_NAME[name]())
    offered = {re.sub(r"^sudo ", "", command) for command in commands(report)}
    for finding in report.findings:
        for wrong in finding.wrong_remedies:
            assert wrong.advice not in offered, (finding.id, wrong)
            assert wrong.why


@pytest.mark.parametrize(
    "vendor",
    ["orbstack-container", "docker-desktop", "docker-desktop-old", "wsl2-5.15", "talos", "gvisor", "wsl1"],
)
def test_vendor_kernels_have_no_packages(vendor: str, examine: Examine) -> None:
    """`apt install linux-headers-$(uname -r)` finds nothing there, whatever the image is made of."""
    report = examine(known.BY_NAME[vendor]())
    assert not [c for c in commands(report) if re.search(r"install .*(linux-headers|kernel-devel)", c)]
    found = report.finding("headers.package")
    assert found is not None
    assert found.status is Status.FAIL


def test_root_without_capabilities_is_not_told_to_become_root(examine: Examine) -> None:
    report = examine(
        machines.bpftrace(
            machines.answers(machines.linux(), machines.without("CAP_SYS_ADMIN", "CAP_BPF")), "0.23.2"
        )
    )
    assert not [c for c in commands(report, "privileges.capabilities") if c.startswith("sudo kdiag")]
    assert not report.verdict.next.startswith("sudo kdiag check")


def test_no_sudo_is_offered_where_it_can_give_nothing(examine: Examine) -> None:
    """no_new_privs (systemd's NoNewPrivileges=yes, many sandboxes): setuid programs give no privileges."""
    described = machines.bpftrace(machines.user(machines.linux()), "0.23.2")
    assert examine(described).verdict.next == "sudo kdiag check"
    status = process_status(0, machines.ALL_CAPABILITIES, no_new_privs=1)
    bound = examine(described.file("/proc/self/status", status))
    assert "no_new_privs" in bound.verdict.next and "sudo kdiag check" not in commands(bound)
