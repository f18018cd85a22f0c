"""A container that can see its host: one kernel, two sides of files, and every answer says which side it is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.model import Finding, Report, Status, Works
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


def test_what_the_host_has_installed_is_not_to_be_installed_there() -> None:
    packages = (
        f"linux-headers-{RELEASE}",
        "linux-headers-6.12.107+deb13-common",
        "linux-kbuild-6.12.107+deb13",
    )
    described = pod().file("/host/var/lib/dpkg/status", parts.dpkg(*packages))
    report = report_on(described.recording())
    assert found(report, "headers.package").status is Status.OK
    assert not [r for r in found(report, "headers.tree").remedies if "apt-get" in " ".join(r.commands)]


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


def test_bcc_gets_links_to_the_two_halves_of_the_host() -> None:
    """Its variable is one directory, and Debian's headers are two."""
    described = pod()
    build, common = f"/usr/src/linux-headers-{RELEASE}", "/usr/src/linux-headers-6.12.107+deb13-common"
    machines.put(described, f"/host{common}", parts.common().items())
    machines.put(described, f"/host{build}", parts.generated(RELEASE).items())
    described.file(f"/host{build}/arch/x86/include/generated/uapi/asm/types.h", "")
    for name, target in (("build", build), ("source", common)):
        described.link(f"/host/lib/modules/{RELEASE}/{name}", target)
    remedy = found(report_on(described.recording()), "headers.bcc").remedies[0]
    assert remedy.run_on == "here" and remedy.commands == (
        "sudo mkdir -p /lib/modules /usr/src",
        f"sudo ln -s /host/lib/modules/{RELEASE} /lib/modules/{RELEASE}",
        f"sudo ln -s /host{build} /host{common} /usr/src/",
    )


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


def kheaders_on_the_host() -> Description:
    described = pod()
    base = f"/host/lib/modules/{RELEASE}"
    described.file(f"{base}/modules.dep", "kernel/kernel/kheaders.ko:\n")
    described.file(f"{base}/kernel/kernel/kheaders.ko", parts.kheaders_module(parts.archive(RELEASE, "x86")))
    return described


def test_the_archive_is_taken_from_the_hosts_module_file_and_loading_is_for_the_host() -> None:
    report = report_on(kheaders_on_the_host().recording())
    module, available = found(report, "kheaders.module"), found(report, "kheaders.available")
    assert module.status is Status.FAIL and "is on the host" in module.summary
    here, there = module.remedies
    assert (here.id, here.run_on) == ("kheaders.extract-module", "here")
    assert (there.commands, there.run_on) == (("sudo modprobe kheaders",), "the host")
    assert available.status is Status.OK
    assert available.evidence[0].source == f"/host/lib/modules/{RELEASE}/kernel/kernel/kheaders.ko"


def test_an_old_bpftrace_does_not_load_the_hosts_module_by_itself() -> None:
    """modprobe here does not look below /host."""
    described = machines.without_btf(machines.bpftrace(kheaders_on_the_host(), "0.14.0"))
    report = report_on(described.recording())
    capability = next(c for c in report.capabilities if c.id == "include")
    assert capability.status is Works.FAILS, capability


def test_a_module_that_the_host_lacks_is_installed_there() -> None:
    described = pod(release=UBUNTU).file(
        "/host/etc/os-release", machines.os_release("ubuntu", "24.04", "Ubuntu 24.04")
    )
    described.file(f"/host/boot/config-{UBUNTU}", parts.config("6.8.12", {"IKHEADERS": "m"}, arch="x86"))
    module = found(report_on(described.recording()), "kheaders.module")
    assert "not installed on the host" in module.summary
    assert {r.run_on for r in module.remedies} == {"the host"}


def test_a_hosts_kernel_image_has_the_configuration() -> None:
    described = pod().remove(f"/host/boot/config-{RELEASE}")
    described.file(f"/host/boot/vmlinuz-{RELEASE}", b"IKCFG_ST" + parts.config_gz("6.12.107") + b"IKCFG_ED")
    config = found(report_on(described.recording()), "config.source")
    assert any(e.source == f"/host/boot/vmlinuz-{RELEASE}" for e in config.evidence), config


def test_a_variable_that_follows_the_hosts_link_leads_into_the_container() -> None:
    """Debian's build link is absolute: bpftrace follows it here, where nothing is."""
    described = machines.tree(pod(), f"/host/usr/src/linux-headers-{RELEASE}", release=RELEASE)
    described.link(f"/host/lib/modules/{RELEASE}/build", f"/usr/src/linux-headers-{RELEASE}")
    described.env("BPFTRACE_KERNEL_SOURCE", f"/host/lib/modules/{RELEASE}/build")
    assert found(report_on(described.recording()), "headers.tree").status is Status.FAIL
    described.env("BPFTRACE_KERNEL_SOURCE", f"/host/usr/src/linux-headers-{RELEASE}")
    assert found(report_on(described.recording()), "headers.tree").status is Status.OK


def test_a_tree_of_the_host_without_a_link_is_found() -> None:
    described = machines.tree(pod(), f"/host/usr/src/kernels/{RELEASE}", release=RELEASE)
    tree = found(report_on(described.recording()), "headers.tree")
    assert tree.remedies[0].commands == (
        f"sudo BPFTRACE_KERNEL_SOURCE=/host/usr/src/kernels/{RELEASE} bpftrace ...",
    )


def test_a_host_that_was_upgraded_and_not_rebooted() -> None:
    described = pod(modules=False).env("KDIAG_HOST", "/host").dir("/host/lib/modules/6.12.110+deb13-amd64")
    rebooted = found(report_on(described.recording()), "kernel.rebooted")
    assert rebooted.status is Status.FAIL and "6.12.110+deb13-amd64 is installed" in rebooted.summary
    assert rebooted.remedies[0].run_on == "the host" and rebooted.evidence[0].source == "/host/lib/modules"


def test_this_very_root_mounted_once_more_is_no_host() -> None:
    described = pod(mounted=False)
    mounts = described.nodes["/proc/self/mountinfo"].data.decode()
    described.file("/proc/self/mountinfo", f"{mounts}99 21 254:1 / /host rw - ext4 /dev/vda1 rw\n")
    assert report_on(described.recording()).finding("environment.host") is None
