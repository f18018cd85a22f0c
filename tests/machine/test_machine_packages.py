"""Packages read as files: the header package of this very kernel is told from those of others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kdiag.model import Finding, Remedy, Status
from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import Examine


def package(described: Description, examine: Examine) -> Finding:
    found = examine(described).finding("headers.package")
    assert found is not None
    return found


def words(finding: Finding) -> str:
    return " ".join(
        [finding.summary, finding.reason, *(f"{e.source} {e.observed}" for e in finding.evidence)]
    )


def commands(finding: Finding) -> list[str]:
    return [command for remedy in finding.remedies for command in remedy.commands]


DEVEL = ("kernel-devel", "6.17.1", "300.fc43")
OLDER = ("kernel-devel", "6.16.9", "200.fc43")
DEBUG = ("kernel-debug-devel", "6.17.1", "300.fc43")


@pytest.mark.parametrize(
    ("packages", "status"),
    [
        ((), Status.FAIL),
        ((DEVEL,), Status.OK),
        ((OLDER,), Status.FAIL),
        ((OLDER, DEVEL), Status.OK),
        ((DEVEL, OLDER), Status.OK),
        ((DEBUG,), Status.FAIL),
    ],
    ids=["none", "this", "older", "older and this", "this and older", "of another variant"],
)
def test_rpm(packages: tuple[tuple[str, str, str], ...], status: Status, examine: Examine) -> None:
    """The name of a kernel-devel does not hold its version, and several are installed side by side."""
    found = package(known.fedora_43(*packages), examine)
    assert found.status is status, found
    if status is Status.FAIL:
        assert commands(found) == ["sudo dnf install kernel-devel-6.17.1-300.fc43.x86_64"]
    if packages == (OLDER,):
        assert "6.16.9" in words(found)


@pytest.mark.parametrize(
    ("version", "status"),
    [("6.18.7.arch1-1", Status.OK), ("6.18.8.arch1-1", Status.FAIL), (None, Status.FAIL)],
)
def test_pacman(version: str | None, status: Status, examine: Examine) -> None:
    """linux-headers of the next kernel is not that of the running one."""
    described = machines.linux(
        "6.18.7-arch1-1", known.ARCH, builder="linux@archlinux", config_at="/proc/config.gz"
    )
    described.remove("/var/lib/dpkg/status").dir("/var/lib/pacman/local")
    if version is not None:
        described.file(f"/var/lib/pacman/local/linux-headers-{version}/desc")
    assert package(described, examine).status is status


@pytest.mark.parametrize(
    ("version", "status"), [("6.12.31-r0", Status.OK), ("6.12.40-r0", Status.FAIL), ("", Status.FAIL)]
)
def test_apk(version: str, status: Status, examine: Examine) -> None:
    described = machines.linux(
        "6.12.31-0-virt", known.ALPINE, builder="buildozer@build", config_at="/boot/config-virt"
    )
    entry = f"P:linux-virt-dev\nV:{version}\nA:x86_64\n\n" if version else ""
    described.remove("/var/lib/dpkg/status").file(
        "/lib/apk/db/installed", f"P:musl\nV:1.2.5-r0\nA:x86_64\n\n{entry}"
    )
    found = package(described, examine)
    assert found.status is status, found


@pytest.mark.parametrize(
    ("installed", "status", "wanted"),
    [
        (
            ("linux-headers-6.1.0-50-amd64", "linux-headers-6.1.0-50-common", "linux-kbuild-6.1"),
            Status.OK,
            "",
        ),
        (
            ("linux-headers-6.1.0-50-amd64", "linux-kbuild-6.1", "linux-headers-amd64"),
            Status.FAIL,
            "linux-headers-6.1.0-50-common",
        ),
        (("linux-headers-6.1.0-50-common", "linux-kbuild-6.1"), Status.FAIL, "linux-headers-6.1.0-50-amd64"),
        (("linux-headers-6.1.0-49-amd64",), Status.FAIL, "linux-headers-6.1.0-50-amd64"),
        (("linux-libc-dev",), Status.FAIL, "linux-headers-6.1.0-50-amd64"),
    ],
    ids=["whole", "no -common", "only -common", "another", "user space's"],
)
def test_dpkg(installed: tuple[str, ...], status: Status, wanted: str, examine: Examine) -> None:
    found = package(machines.installed(known.debian_12(), *installed), examine)
    assert found.status is status, found
    assert not wanted or any(wanted in command.split() for command in commands(found)), commands(found)
    if "linux-headers-amd64" in installed:
        assert "linux-headers-amd64" not in found.reason, "the meta package is of no other kernel"


def test_a_removed_package_is_not_installed(examine: Examine) -> None:
    """dpkg keeps those whose configuration files are left."""
    described = known.debian_12()
    names = ("linux-headers-6.1.0-50-amd64", "linux-headers-6.1.0-50-common", "linux-kbuild-6.1")
    status = parts.dpkg(*names).replace("install ok installed", "deinstall ok config-files")
    assert package(described.file("/var/lib/dpkg/status", status), examine).status is Status.FAIL


def test_a_broken_database_is_unknown(examine: Examine) -> None:
    described = known.fedora_43().file(
        "/usr/lib/sysimage/rpm/rpmdb.sqlite", b"SQLite format 3\0" + bytes(200)
    )
    assert package(described, examine).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("6.12.107+deb13-amd64", "linux-headers-6.12.107+deb13-amd64"),
        ("6.8.0-31-generic", "linux-headers-6.8.0-31-generic"),
        ("6.8.0-1021-aws", "linux-headers-6.8.0-1021-aws"),
        ("7.0.14-14-pve", "proxmox-headers-7.0.14-14-pve"),
        ("5.14.0-611.26.1.el9_7.x86_64", "kernel-devel-5.14.0-611.26.1.el9_7.x86_64"),
        ("6.12.83-113.160.amzn2023.aarch64", "kernel6.12-devel-6.12.83-113.160.amzn2023.aarch64"),
        ("5.15.0-316.196.4.1.el9uek.x86_64", "kernel-uek-devel-5.15.0-316.196.4.1.el9uek.x86_64"),
    ],
)
def test_the_release_names_the_package(release: str, command: str, examine: Examine) -> None:
    """Not the distribution of the files: these are Debian's."""
    found = package(machines.linux(release, builder="buildd@a (Ubuntu, Debian"), examine)
    assert any(command in line.split() for line in commands(found)), found


@pytest.mark.parametrize(
    "release", ["6.12.107; reboot", "$(reboot)", "-o=x", "6.1 --yes", "../../etc", "x" * 300, "6.1\nreboot"]
)
def test_a_hostile_release_goes_into_no_command(release: str, examine: Examine) -> None:
    described = machines.linux()
    described.release = release
    report = examine(described)
    assert not [f for f in report.findings if "the check itself failed" in f.summary]
    for finding in report.findings:
        for remedy in finding.remedies:
            for command in remedy.commands:
                assert release not in command, (finding.id, command)


# -- which database, which manager -----------------------------------------------------------------------------------


def test_the_distribution_says_which_database_counts(examine: Examine) -> None:
    """Fedora with the package of dpkg, Debian with that of rpm."""
    fedora = known.fedora_43(DEVEL).file("/var/lib/dpkg/status", parts.dpkg("bpftrace"))
    assert package(fedora, examine).status is Status.OK
    debian = machines.installed(
        known.debian_12(), "linux-headers-6.1.0-50-amd64", "linux-headers-6.1.0-50-common"
    )
    machines.installed(debian, "linux-kbuild-6.1").file("/var/lib/rpm/Packages", b"")
    assert package(debian, examine).status is Status.OK


def test_yum_where_there_is_no_dnf(examine: Examine) -> None:
    """CentOS 7 has never had dnf; an image of Enterprise Linux 8 may have microdnf alone."""
    system = machines.os_release("centos", "7", "CentOS Linux 7 (Core)", ID_LIKE='"rhel fedora"')
    described = machines.linux(
        "3.10.0-1160.119.1.el7.x86_64", system, builder="mockbuild@kbuilder.bsys.centos.org"
    )
    described.remove("/var/lib/dpkg/status").file("/var/lib/rpm/Packages", b"")
    report = examine(described)
    lines = [line for f in report.findings for r in f.remedies for line in r.commands if "install" in line]
    assert lines
    assert all(line.startswith("sudo yum install ") for line in lines), lines
    small = machines.linux(
        "4.18.0-553.97.1.el8_10.x86_64", machines.os_release("almalinux", "8.10", "AlmaLinux 8.10")
    )
    small.remove("/var/lib/dpkg/status").program("microdnf", "/usr/bin/microdnf")
    small.file("/var/lib/rpm/Packages", b"")
    report = examine(small)
    lines = [line for f in report.findings for r in f.remedies for line in r.commands if "install" in line]
    assert any(line == "sudo microdnf install bpftrace" for line in lines), lines


def test_the_log_of_the_rpm_database_counts(tmp_path: Path, examine: Examine) -> None:
    """packagekitd keeps the database open: what was installed is then in the log beside it (bug: read without)."""
    path = tmp_path / "rpmdb.sqlite"
    path.write_bytes(parts.rpm_database(("filesystem", "3", "1")))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        blob = parts.rpm_header(*DEVEL)
        connection.execute("INSERT INTO Packages VALUES (99, ?)", (blob,))
        connection.execute("INSERT INTO Name VALUES ('kernel-devel', 99, 0)")
        connection.commit()
        main, log = path.read_bytes(), (tmp_path / "rpmdb.sqlite-wal").read_bytes()
    assert log
    place = "/usr/lib/sysimage/rpm/rpmdb.sqlite"
    described = known.fedora_43().file(place, main)
    assert package(described, examine).status is Status.FAIL
    assert package(described.file(f"{place}-wal", log), examine).status is Status.OK


def test_void(examine: Examine) -> None:
    described = machines.linux(
        "6.12.52_1", machines.os_release("void", "", "Void"), builder="voidlinux@voidlinux"
    )
    head = '<?xml version="1.0"?>\n<plist version="1.0">\n<dict>\n'
    line = "<key>pkgver</key><string>linux6.12-headers-{}</string><key>state</key><string>installed</string>"
    place = "/var/db/xbps/pkgdb-0.38.plist"
    described.remove("/var/lib/dpkg/status").file(place, head + line.format("6.12.50_1"))
    found = package(described, examine)
    assert found.status is Status.FAIL
    assert commands(found) == ["sudo xbps-install linux6.12-headers"]
    assert "6.12.50_1" in words(found)
    assert package(described.file(place, head + line.format("6.12.52_1")), examine).status is Status.OK


# -- Ubuntu's halves -------------------------------------------------------------------------------------------------

HWE = ("6.8.0-87-generic", "linux-hwe-6.8-headers-6.8.0-87")


@pytest.mark.parametrize(
    ("release", "common"),
    [
        HWE,
        ("5.15.0-1055-aws", "linux-aws-headers-5.15.0-1055"),
        ("6.8.0-1021-gcp", "linux-gcp-6.8-headers-6.8.0-1021"),
        ("6.8.0-40-lowlatency", "linux-lowlatency-hwe-6.8-headers-6.8.0-40"),
        ("6.5.0-1019-oem", "linux-oem-6.5-headers-6.5.0-1019"),
        ("5.15.0-1026-generic", "linux-riscv-headers-5.15.0-1026"),
    ],
)
def test_ubuntu_by_whatever_name(release: str, common: str, examine: Examine) -> None:
    """The common half is called after the source; both are installed, so nothing is missing."""
    described = machines.linux(release, known.UBUNTU_2204, builder="buildd@lcy02 (Ubuntu 12")
    machines.installed(
        described, f"linux-headers-{release}", common, "linux-headers-generic-hwe-22.04", "linux-libc-dev"
    )
    found = package(described, examine)
    assert found.status is Status.OK, found


def test_ubuntu_without_the_common_half(examine: Examine) -> None:
    """What the installed half depends on is what is missing, by its own name."""
    release, common = HWE
    described = machines.linux(release, known.UBUNTU_2204, builder="buildd@lcy02 (Ubuntu 12")
    machines.installed(described, f"linux-headers-{release}", "linux-hwe-6.8-headers-6.8.0-86")
    status = described.nodes["/var/lib/dpkg/status"].data.decode()
    half = f"Package: linux-headers-{release}\n"
    described.file(
        "/var/lib/dpkg/status", status.replace(half, f"{half}Depends: {common}, libc6 (>= 2.34)\n")
    )
    found = package(described, examine)
    assert found.status is Status.FAIL
    assert common in found.summary
    assert commands(found)[-1] == f"sudo apt-get install {common}"
    assert "linux-hwe-6.8-headers-6.8.0-86" in found.reason


def test_headers_of_user_space_are_of_no_other_kernel(examine: Examine) -> None:
    """linux-libc-dev on Debian, linux-api-headers on Arch, linux-headers on Alpine."""
    debian = package(machines.installed(known.debian_12(), ("linux-libc-dev", "6.1.170-1")), examine)
    assert debian.status is Status.FAIL
    assert "linux-libc-dev" not in debian.reason
    alpine = machines.linux("6.12.31-0-virt", known.ALPINE, builder="buildozer@build")
    text = "P:linux-headers\nV:6.6-r1\nA:x86_64\n\nP:linux-pam-dev\nV:1.6-r0\nA:x86_64\n\n"
    alpine.remove("/var/lib/dpkg/status").file("/lib/apk/db/installed", text)
    found = package(alpine, examine)
    assert found.status is Status.FAIL
    assert not found.reason


# -- which suite -----------------------------------------------------------------------------------------------------

BPO = "6.12.95+deb12-cloud-amd64"


def backported(*suites: str) -> Description:
    described = machines.linux(BPO, machines.DEBIAN["12"])
    lines = "".join(f"deb http://mirror.example/debian {suite} main\n" for suite in suites)
    return described.file("/etc/apt/sources.list", lines)


def test_a_backported_kernel_where_backports_are_not_used(examine: Examine) -> None:
    """Debian 12 with a kernel of its backports, and a sources.list without them."""
    report = examine(backported("bookworm", "bookworm-security"))
    identity = report.finding("kernel.identity")
    assert identity is not None
    assert identity.summary == "Debian 12 backports 6.12 cloud"
    found = report.finding("headers.package")
    assert found is not None
    (remedy,) = found.remedies
    assert remedy.kind == "unsafe"
    assert "bookworm-backports, which this system does not use" in remedy.title
    assert remedy.commands[0].startswith("echo 'deb http://mirror.example/debian bookworm-backports main'")
    assert remedy.commands[-1] == f"sudo apt-get install linux-headers-{BPO}"
    assert not any("Debian 13" in text for text in (remedy.title, found.summary, found.reason))


@pytest.mark.parametrize(
    "address", ["http://name:word@mirror.example/debian", "http://mirror.example/'$(id)'", "file:/srv"]
)
def test_an_address_that_cannot_stand_in_a_command(examine: Examine, address: str) -> None:
    described = machines.linux(BPO, machines.DEBIAN["12"])
    lines = f"deb {address} bookworm main\ndeb {address} bookworm-security main\n"
    (remedy,) = package(described.file("/etc/apt/sources.list", lines), examine).remedies
    assert (remedy.kind, remedy.commands) == ("manual", ())
    assert "Set up bookworm-backports" in remedy.title


def test_a_backported_kernel_where_backports_are_used(examine: Examine) -> None:
    found = package(backported("bookworm", "bookworm-backports"), examine)
    (remedy,) = found.remedies
    assert (remedy.id, remedy.kind) == ("headers.package", "safe")
    assert "bookworm-backports" in remedy.title
    assert remedy.commands == ("sudo apt-get update", f"sudo apt-get install linux-headers-{BPO}")


def test_a_kernel_of_another_release(examine: Examine) -> None:
    """Debian 13's kernel under Debian 12: its headers are in no suite that this system uses, nor should be."""
    described = machines.linux("6.12.107+deb13-amd64", machines.DEBIAN["12"])
    described.file(
        "/etc/apt/sources.list.d/debian.sources", "Types: deb\nURIs: http://x.invalid\nSuites: bookworm\n"
    )
    found = package(described, examine)
    (remedy,) = found.remedies
    assert (remedy.kind, remedy.commands) == ("manual", ())
    assert "trixie, of Debian 13" in remedy.title
    assert "Debian GNU/Linux 12" in remedy.title


def test_ubuntus_hwe_kernel_without_headers(examine: Examine) -> None:
    """The package's own name is right; the title names no release that this machine is not."""
    described = machines.linux("6.14.0-27-generic", machines.UBUNTU_2404, builder="buildd@x (Ubuntu 13")
    described.version = "#27~24.04.1-Ubuntu SMP PREEMPT_DYNAMIC"
    report = examine(described)
    assert report.machine.kernel == "Ubuntu 24.04 HWE 6.14"
    found = report.finding("headers.package")
    assert found is not None
    (remedy,) = found.remedies
    assert remedy.title == "Install linux-headers-6.14.0-27-generic"
    assert remedy.commands[-1] == "sudo apt-get install linux-headers-6.14.0-27-generic"


# -- kernels of others: the database tells which package brought them ------------------------------------------------


def bazzite(*packages: tuple[str, str, str]) -> Description:
    system = machines.os_release("bazzite", "40", "Bazzite 40", ID_LIKE="fedora")
    described = machines.linux("6.9.12-205.fsync.fc40.x86_64", system, builder="mockbuild@copr")
    described.remove("/var/lib/dpkg/status")
    return described.file(
        "/usr/lib/sysimage/rpm/rpmdb.sqlite", parts.rpm_database(("filesystem", "3", "1"), *packages)
    )


def test_a_rebuilt_fedora_kernel(examine: Examine) -> None:
    """Nothing of Fedora's is offered for it; what is installed for another kernel is named as that."""
    report = examine(
        bazzite(("kernel-core", "6.9.12", "205.fsync.fc40"), ("kernel-devel", "6.10.12", "200.fc40"))
    )
    identity = report.finding("kernel.identity")
    assert identity is not None
    assert "rebuilt by a third party (fsync)" in identity.summary
    found = report.finding("headers.package")
    assert found is not None
    assert found.status is Status.FAIL
    assert "kernel-devel-6.9.12-205.fsync.fc40.x86_64 is not installed" in found.summary
    assert "kernel-devel 6.10.12-200.fc40" in found.reason
    assert not any("kernel-devel" in command for command in commands(found))


def test_a_rebuilt_fedora_kernel_with_its_headers(examine: Examine) -> None:
    """As CachyOS' repository has them: the packages have a name of their own."""
    described = bazzite(
        ("kernel-cachyos-core", "7.2.6", "cachyos1.fc43"), ("kernel-cachyos-devel", "7.2.6", "cachyos1.fc43")
    )
    described.file("/proc/version", "Linux version 7.2.6-cachyos1.fc43.x86_64 (mockbuild@copr)")
    described.release = "7.2.6-cachyos1.fc43.x86_64"
    found = package(described, examine)
    assert found.status is Status.OK, found
    assert "kernel-cachyos-devel" in found.summary


@pytest.mark.parametrize("line", ["kernel-ml", "kernel-lt"])
def test_elrepo_by_the_database(line: str, examine: Examine) -> None:
    release = "6.8.1-1.el8.elrepo.x86_64"
    described = machines.linux(
        release, machines.os_release("rocky", "8.9", "Rocky Linux 8.9", ID_LIKE='"rhel centos fedora"')
    )
    database = parts.rpm_database(
        (f"{line}-core", "6.8.1", "1.el8.elrepo"), ("kernel-devel", "4.18.0", "513.el8")
    )
    described.remove("/var/lib/dpkg/status").file("/var/lib/rpm/rpmdb.sqlite", database)
    found = package(described, examine)
    assert commands(found) == [f"sudo dnf --enablerepo=elrepo-kernel install {line}-devel-{release}"]
    assert "kernel-devel 4.18.0-513.el8" in found.reason


@pytest.mark.parametrize(
    ("release", "base", "version", "command"),
    [
        ("6.6.48-1-lts", "linux-lts", "6.6.48-1", "sudo pacman -S linux-lts-headers"),
        ("6.9.4-zen1-1-zen", "linux-zen", "6.9.4.zen1-1", "sudo pacman -S linux-zen-headers"),
        ("6.9.1-273-tkg-bore", "linux-tkg-bore", "6.9.1-273", None),
        ("6.9.0-mine", "linux-mine", "6.9.0-1", None),
    ],
)
def test_arch_by_pkgbase(
    release: str, base: str, version: str, command: str | None, examine: Examine
) -> None:
    """Arch's packages leave their name beside the modules; those of its user repository cannot be had by pacman."""
    described = machines.linux(release, known.ARCH, builder="linux@archlinux", config_at="/proc/config.gz")
    described.remove("/var/lib/dpkg/status").file(f"/var/lib/pacman/local/{base}-{version}/desc")
    described.file(f"/lib/modules/{release}/pkgbase", f"{base}\n")
    found = package(described, examine)
    assert f"{base}-headers is not installed" in found.summary
    assert commands(found) == ([command] if command else [])
    described.file(f"/var/lib/pacman/local/{base}-headers-{version}/desc")
    assert package(described, examine).status is Status.OK


def test_a_package_that_somebody_built(examine: Examine) -> None:
    """`make bindeb-pkg` makes both; kdiag knows neither the kernel nor a repository of it."""
    release = "6.9.0-acme"
    described = machines.installed(
        machines.linux(release, machines.DEBIAN["12"], builder="me@home"), f"linux-image-{release}"
    )
    report = examine(described)
    identity, found = report.finding("kernel.identity"), report.finding("headers.package")
    assert identity is not None
    assert found is not None
    assert "unrecognised kernel release" in identity.summary
    assert f"linux-headers-{release} is not installed" in found.summary
    assert not commands(found)
    assert package(machines.installed(described, f"linux-headers-{release}"), examine).status is Status.OK


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("deb http://deb.xanmod.org releases main", "safe"),
        ("deb http://mirror.example/debian bookworm main", "manual"),
    ],
)
def test_a_third_partys_repository(source: str, kind: str, examine: Examine) -> None:
    described = machines.linux("6.6.30-x64v3-xanmod1", machines.DEBIAN["12"], builder="root@xanmod")
    found = package(described.file("/etc/apt/sources.list", f"{source}\n"), examine)
    (remedy,) = found.remedies
    assert remedy.kind == kind
    assert "XanMod" in remedy.title
    assert bool(remedy.commands) == (kind == "safe")


# -- systems that are images -----------------------------------------------------------------------------------------


def remedies_of(described: Description, examine: Examine, finding_id: str) -> list[Remedy]:
    found = examine(described).finding(finding_id)
    assert found is not None
    return list(found.remedies)


def test_rpm_ostree_layers_tools_and_headers(examine: Examine) -> None:
    release = "6.11.4-301.fc41.x86_64"
    described = machines.linux(
        release, machines.os_release("fedora", "41", "Fedora CoreOS 41", VARIANT_ID="coreos")
    )
    described.remove("/var/lib/dpkg/status").file("/run/ostree-booted").program(
        "rpm-ostree", "/usr/bin/rpm-ostree"
    )
    described.file(
        "/usr/lib/sysimage/rpm/rpmdb.sqlite", parts.rpm_database(("kernel-core", "6.11.4", "301.fc41"))
    )
    (tool,) = remedies_of(described, examine, "tools.bpftrace")
    assert tool.commands == ("sudo rpm-ostree install bpftrace", "sudo systemctl reboot")
    (headers,) = remedies_of(described, examine, "headers.package")
    assert headers.commands[0] == f"sudo rpm-ostree install kernel-devel-{release}"
    assert headers.id != "headers.package", "kdiag fix does not do that by itself"


@pytest.mark.parametrize(
    ("os_id", "kind", "word"),
    [
        ("flatcar", "manual", "container"),
        ("steamos", "unsafe", "steamos-readonly disable"),
        ("opensuse-microos", "unsafe", "transactional-update pkg install bpftrace"),
        ("ubuntu-core", "unsafe", "snap install bpftrace"),
        ("talos", "manual", "pod"),
        ("haos", "manual", "container"),
        ("nixos", "unsafe", "systemPackages"),
    ],
)
def test_an_image_gets_its_own_way(os_id: str, kind: str, word: str, examine: Examine) -> None:
    """Never the package manager whose database happens to lie in the image."""
    described = machines.linux("6.6.1-x", machines.os_release(os_id, "1", os_id), builder="a@b")
    (remedy,) = remedies_of(described, examine, "tools.bpftrace")
    assert remedy.kind == kind
    assert word in " ".join((remedy.title, *remedy.commands))
    assert not any(command.startswith("sudo apt-get") for command in remedy.commands)


def test_a_container_on_an_image_is_none(examine: Examine) -> None:
    """A Debian container on Flatcar: its own apt works for tools."""
    described = machines.container(
        machines.linux("6.12.51-flatcar", machines.DEBIAN["12"], builder="a@b"), machines.ALL_CAPABILITIES
    )
    (remedy,) = remedies_of(described, examine, "tools.bpftrace")
    assert remedy.commands[-1] == "sudo apt-get install bpftrace"


# -- ways where there is no package ----------------------------------------------------------------------------------


def test_nobody_is_told_to_load_what_is_not_there(examine: Examine) -> None:
    """kheaders on WSL 6.18 and on the nodes of Google: only where the module may be there."""
    described = known.cos()
    assert any(
        "modprobe kheaders" in c
        for r in remedies_of(described, examine, "headers.package")
        for c in r.commands
    )
    described = known.cos()
    machines.modules(described).remove(f"/lib/modules/{described.release}/kernel/kernel/kheaders.ko")
    assert not any(
        "modprobe" in c for r in remedies_of(described, examine, "headers.package") for c in r.commands
    )


def test_orbstack_says_nothing_of_what_works_there(examine: Examine) -> None:
    """Its own archive is served: nobody has to maintain a kernel for that."""
    for remedy in remedies_of(known.orbstack_container(), examine, "headers.package"):
        assert "/sys/kernel" not in remedy.title
        assert "maintains" not in remedy.run_on


def test_configs_is_loaded_only_where_it_is(examine: Examine) -> None:
    described = known.raspberry_pi()
    assert not remedies_of(described, examine, "config.source")
    described.file(f"/lib/modules/{described.release}/kernel/kernel/configs.ko", b"\x7fELF")
    (remedy,) = remedies_of(described, examine, "config.source")
    assert remedy.commands == ("sudo modprobe configs",)
