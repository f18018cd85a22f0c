"""A container that can see its host: one kernel, two sides of files, and every answer says which side it is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.model import Finding, Report, Status
from kdiag.system.live import Live
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

RELEASE = "6.12.107+deb13-amd64"
UBUNTU = "6.8.0-45-generic"


def pod(
    where: str = "/host", *, release: str = RELEASE, mounted: bool = True, modules: bool = True
) -> Description:
    """A pod of Alpine with all capabilities on a node of Debian, whose root is at `where`."""
    described = machines.linux(release, config_at=None)
    machines.container(described, machines.ALL_CAPABILITIES)
    described.remove("/lib/modules", "/usr/src", "/boot").file(
        "/etc/os-release", machines.os_release("alpine", "3.22", "Alpine Linux v3.22")
    )
    described.file(
        "/proc/self/mountinfo",
        described.nodes["/proc/self/mountinfo"].data.decode()
        + (f"99 21 254:2 / {where} ro,relatime - ext4 /dev/vda1 rw\n" if mounted else ""),
    )
    described.file(f"{where}/etc/os-release", machines.DEBIAN["13"]).dir(f"{where}/usr/bin")
    described.file(f"{where}/var/lib/dpkg/status", parts.dpkg())
    described.file(f"{where}/boot/config-{release}", parts.config("6.12.107", {}, arch="x86"))
    if modules:
        described.file(f"{where}/lib/modules/{release}/modules.dep", "")
    return machines.bpftrace(described, "0.23.2")


def found(report: Report, finding_id: str) -> Finding:
    finding = report.finding(finding_id)
    assert finding is not None
    return finding


def host_asked(finding: Finding) -> bool:
    """Whether the package database is that of the host."""
    return any("its package database is asked" in e.observed for e in finding.evidence)


@pytest.mark.parametrize("where", ["/host", "/run/host", "/rootfs"])
def test_a_mounted_root_of_the_host_is_found(where: str) -> None:
    report = report_on(pod(where).recording())
    host = found(report, "environment.host")
    assert host.status is Status.OK and f"(Debian GNU/Linux 13 (trixie)) are in {where}" in host.summary
    config = found(report, "config.source")
    assert any(e.source == f"{where}/boot/config-{RELEASE}" for e in config.evidence)


def test_packages_are_those_of_the_host_and_installed_there() -> None:
    """Alpine's database says nothing about the headers of Debian's kernel."""
    package = found(report_on(pod().recording()), "headers.package")
    assert host_asked(package)
    remedy = package.remedies[0]
    assert remedy.run_on == "the host" and f"linux-headers-{RELEASE}" in remedy.commands[-1]
    assert "apt-get" in remedy.commands[-1]


def test_headers_of_the_host_are_named_by_the_paths_that_lead_there_from_here() -> None:
    """Debian's links are absolute, and would lead into the image."""
    described = pod()
    build, common = f"/usr/src/linux-headers-{RELEASE}", "/usr/src/linux-headers-6.12.107+deb13-common"
    for name, target in (("build", build), ("source", common)):
        described.link(f"/host/lib/modules/{RELEASE}/{name}", target)
    described.files(
        {
            f"/host{common}/include/linux/kconfig.h": "",
            f"/host{common}/include/linux/types.h": "",
            f"/host{common}/arch/x86/include/asm/ptrace.h": "",
            f"/host{build}/include/generated/autoconf.h": "",
            f"/host{build}/include/generated/utsrelease.h": f'#define UTS_RELEASE "{RELEASE}"\n',
            f"/host{build}/include/generated/uapi/linux/version.h": "",
            f"/host{build}/arch/x86/include/generated/asm/x.h": "",
        }
    )
    tree = found(report_on(described.recording()), "headers.tree")
    assert tree.status is Status.FAIL
    (command,) = tree.remedies[0].commands
    assert f"BPFTRACE_KERNEL_SOURCE=/host{common} BPFTRACE_KERNEL_BUILD=/host{build} " in command


def test_another_systems_root_is_not_taken_for_the_host() -> None:
    report = report_on(pod(modules=False).recording())
    host = found(report, "environment.host")
    assert host.status is Status.UNKNOWN and "--host /host" in host.reason
    assert not host_asked(found(report, "headers.package"))


def test_it_is_taken_where_the_caller_says_so() -> None:
    report = report_on(
        pod("/srv/node", mounted=False, modules=False).env("KDIAG_HOST", "/srv/node").recording()
    )
    assert found(report, "environment.host").status is Status.OK
    assert host_asked(found(report, "headers.package"))


def test_what_systemd_nspawn_has_in_run_host_is_no_root() -> None:
    described = pod("/run/host", modules=False).remove("/run/host/usr/bin", "/run/host/var", "/run/host/boot")
    assert report_on(described.recording()).finding("environment.host") is None


def test_mounts_that_cannot_be_seen_are_not_a_lack_of_a_host() -> None:
    described = pod().remove("/proc/self/mountinfo", "/proc/mounts")
    assert found(report_on(described.recording()), "environment.host").status is Status.UNKNOWN


def test_a_link_of_the_host_stays_on_the_host(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/lib").mkdir()
    (tmp_path / "usr/lib/os-release").write_text("ID=kdiag-node\n")
    machine = Machine(Live(host=str(tmp_path)))
    assert machine.system.read(f"{tmp_path}/etc/os-release") == b"ID=kdiag-node\n"
    host = machine.host.machine
    assert (
        host is not None and host.kernel.os_release is not None and host.kernel.os_release.id == "kdiag-node"
    )
