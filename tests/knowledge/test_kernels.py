"""The kernel table: every example names its own record, real releases get the right family, nothing is oversold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.knowledge import kernels
from kdiag.knowledge.kernel_options import Expected, kernels_table, release_arch, values_of
from kdiag.knowledge.kernels import identify

RECORDS = kernels_table()["kernels"]
TABLE = Path(kernels.__file__).with_name("kernels.json")
OPTIONS = Path(__file__).parents[3] / "shared" / "facts" / "kernel-options.psv"

#: Releases out of issue reports about eBPF tools, with whose kernel they are; None: nobody can tell.
REPORTED: dict[str, str | None] = {
    "4.18.0-304.3.el8.bz1928463.x86_64": "rhel",
    "3.10.0-1160.81.1.0.1.el7.x86_64": "rhel",
    "5.15.6-051506-generic": "ubuntu-mainline",
    "5.8.17": None,
    "5.4.49+": "local-build",
    "5.10.76-linuxkit": "docker-desktop",
    "4.19.121": None,
    "6.6.16-linuxkit": "docker-desktop",
    "4.9.184-linuxkit": "docker-desktop",
    "6.6.22-linuxkit": "docker-desktop",
    "5.15.49-linuxkit": "docker-desktop",
    "6.8.1-1.el7.elrepo.x86_64": "elrepo",
    "6.15.11-orbstack-00542-g4f455d264886": "orbstack",
    "6.4.10-orbstack-00066-ga79fe089e66c": "orbstack",
    "6.1.28-v8+": "raspberrypi",
    "6.1.73-talos": "talos",
    "5.10.13-arch1-1": "arch",
    "5.15.0-1045": None,
    "5.3.18": None,
    "7.1.0-3-t2-noble": "t2linux",
    "4.19.306": None,
    "6.18.7-76061807-generic": "pop-os",
    "6.2.0-1011-gcp": "ubuntu",
    "5.17": None,
    "4.19": None,
    "4.15.12": None,
    "6.12.57-talos": "talos",
    "4.15.0-1031-aws": "ubuntu",
    "4.19.12-1.el7.elrepo.x86_64": "elrepo",
    "5.15.49-linuxkit-pr": "docker-desktop",
    "5.18.9-250.vanilla": "fedora-vanilla",
    "6.12.83-113.160.amzn2023.aarch64": "amazonlinux",
}

#: More shapes than the table has examples for.
SHAPES = {
    "6.9.12-205.fsync.fc40.x86_64": "fedora-rebuilt",
    "6.11.5-307.bazzite.fc41.x86_64": "fedora-rebuilt",
    "5.14.21-150500.55.19-default": "sles-15",
    "6.11.8-1.g2b1e7a3-default": "opensuse-tumbleweed",
    "6.17.7-ba01.fc43.x86_64": "fedora-rebuilt",
    "7.2.6-cachyos1.fc43.x86_64": "fedora-rebuilt",
    "6.9.8-1.surface.fc40.x86_64": "fedora-rebuilt",
    "6.6.48-1.qubes.fc37.x86_64": "qubes",
    "6.8.2-300.fc40.x86_64": "fedora-any",
    "6.19.0-0.rc7.260128g1f97d9dcf5364.49.fc44.x86_64": "fedora-rawhide",
    "4.18.0-513.24.1.lve.el8.x86_64": "cloudlinux",
    "4.19.90-24.4.v2101.ky10.x86_64": "el-alike",
    "6.11.8-1-liquorix-amd64": "liquorix",
    "6.6.30-x64v2-xanmod1": "xanmod",
    "6.11.5-zabbly+": "zabbly",
    "6.16.8+kali-amd64": "kali",
    "6.0.0-3mx-amd64": "mx",
    "6.9.3-x86_64-linode164": "provider",
    "6.6.44-production+truenas": "appliance",
    "5.4.0-1094-aws": "ubuntu-cloud-flavours",
    "6.8.0-1013-nvidia-64k": "ubuntu-cloud-flavours",
    "6.8.0-31-generic-64k": "ubuntu-24.04",
    "6.2.0-1011-gcp": "ubuntu-gcp",
    "5.0.0-37-generic": "ubuntu-before-5.2",
    "6.1.0-50-arm64": "debian-12-generic",
    "5.10.0-0.deb10.16-amd64": "debian-other",
    "6.5.0-0.deb12.4-cloud-arm64": "debian-other",
    "6.12.38+deb13-powerpc64le-64k": "debian-13-generic",
    "6.17.13+deb14-rt-amd64": "debian-other",
    "6.12.0-191.el10.aarch64+64k": "rhel-10",
    "5.14.0-503.el9.x86_64+rt-debug": "rhel-9",
    "4.18.0-553.rt7.342.el8.x86_64": "rhel-8",
    "6.12.0-107.59.3.3.el10uek.aarch64.64k": "oracle-uek8",
    "6.14.8-0.hs1.hsx.el9.x86_64": "centos-hyperscale",
    "6.17.12-400.asahi.fc43.aarch64+16k": "fedora-asahi",
    "6.6.8-200.fc39.x86_64+debug": "fedora-any",
    "5.10.252-285.992.amzn2.x86_64": "amazonlinux-2",
    "6.18.5-1.2.amzn2023.x86_64": "amazonlinux-2023-newer",
    "6.12.47+rpt-rpi-v8": "raspberrypi-v8",
    "6.12.34+rpt-rpi-2712": "raspberrypi-2712",
    "6.1.0-rpi7-rpi-v8": "raspberrypi-v8",
    "5.14.21-150400.24.81-default": "sles-15",
    "4.12.14-122.37-default": "suse-other",
    "6.6.36.6-microsoft-standard-WSL2+": "wsl2-6.6",
    "6.1.21.2-microsoft-standard-WSL2": "wsl2-other",
    "5.4.72-MICROSOFT-custom": "wsl2-other",
    "6.18.44-fc-v669": "firecracker-guest",
    "6.10.14-linuxkit": "docker-desktop",
    "6.8.1-arch1-1": "arch",
    "6.9.4-zen1-1-zen": "arch-zen",
    "6.14.0-63.fc42.x86_64": "fedora-42",
    "6.9.0-dirty": "local-build-git",
    "5.10.43-android12-9-00031-g02d62d5cece1": "android-gki-12",
    "6.1.99-android14-11-g1a2b3c4d5e6f-ab12345678": "android-gki-14-6.1",
}

EXAMPLES = [(record["id"], example) for record in RECORDS for example in record.get("examples", [])]


@pytest.mark.parametrize(("owner", "release"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_every_example_names_its_own_record(owner: str, release: str) -> None:
    record = next(record for record in RECORDS if record["id"] == owner)
    needs = record.get("needs", {})
    hints = needs.get("hint", [])[:1]
    builder = None if hints else next(iter(needs.get("proc_version", [])), None)
    system = None if hints or builder else next(iter(needs.get("os_id", [])), None)
    version = f"Linux version {release} {builder}" if builder else None
    identity = identify(release, proc_version=version, os_id=system, hints=hints)
    assert identity is not None
    assert identity.id == owner
    if record.get("shape_only"):  # nobody saw exactly this release: it shows the shape of the name
        assert re.fullmatch(r"[\w.+~-]+", release)


def test_records_are_sound() -> None:
    assert len({record["id"] for record in RECORDS}) == len(RECORDS)
    for record in RECORDS:
        kernels._pattern(record)
        assert record["name"]
        for example in record.get("examples", []):
            assert not record.get("has") or any(part in example.lower() for part in record["has"])
        for option, value in values_of(record).items():
            assert value in ("y", "m", "n"), (record["id"], option)


def test_the_table_stays_small() -> None:
    assert TABLE.stat().st_size < 72 * 1024


@pytest.mark.parametrize(("release", "family"), REPORTED.items())
def test_reported_releases(release: str, family: str | None) -> None:
    identity = identify(release)
    assert (identity.family if identity else None) == family


@pytest.mark.parametrize(("release", "owner"), SHAPES.items())
def test_shapes(release: str, owner: str) -> None:
    identity = identify(release)
    assert identity is not None
    assert identity.id == owner


@pytest.mark.parametrize(
    "release",
    [
        "",
        "6.1",
        "6.12.107-kdiaglab",
        "6.1.0-mything-rt",
        "6.6.30-1-debug",
        "6.6.30",
        "x" * 500,
        "6.1.0-50-amd64; reboot",
        "6.1.0-50-amd64\n",
        "٦.1.0-50-amd64",
    ],
)
def test_unknown_releases_are_none(release: str) -> None:
    assert identify(release) is None


def test_vendor_kernels_are_said_to_be_vendor_kernels() -> None:
    for release in (
        "6.15.11-orbstack-00539-g9885ebd8e3f4",
        "6.6.87.2-microsoft-standard-WSL2",
        "6.6.16-linuxkit",
    ):
        identity = identify(release)
        assert identity is not None
        assert identity.vendor
    for release in ("6.1.0-50-amd64", "6.8.0-31-generic", "6.14.0-63.fc42.x86_64"):
        identity = identify(release)
        assert identity is not None
        assert identity.kind == "distribution"


def test_what_was_seen_once_is_never_verified() -> None:
    identity = identify("6.18.44-fc-v669")
    assert identity is not None
    assert identity.expected["DEBUG_INFO_BTF"] == Expected("y", "unverified")
    assert identity.expected["KPROBES"] == Expected("n", "unverified")
    assert {expected.confidence for expected in identity.expected.values()} == {"unverified"}


def test_linuxkit_and_docker_desktop_share_a_name_so_btf_is_unknown() -> None:
    identity = identify("6.6.16-linuxkit")
    assert identity is not None
    assert "DEBUG_INFO_BTF" not in identity.expected
    assert identity.expected["IKHEADERS"] == Expected("n", "likely")


def test_plain_releases_need_another_signal() -> None:
    nixos = "Linux version 6.12.55 (nixbld@localhost) (gcc (GCC) 14.3.0) #1-NixOS SMP"
    other = "Linux version 6.12.55 (me@laptop) (gcc (GCC) 14.3.0) #1 SMP"
    assert identify("6.12.55") is None
    for keywords in ({"proc_version": nixos}, {"os_id": "nixos"}):
        identity = identify("6.12.55", **keywords)
        assert identity is not None
        assert identity.id == "nixos"
        assert len(identity.decided_by) == 2
    # a NixOS image on somebody's own kernel: /proc/version is the kernel's, os-release is not
    assert identify("6.12.55", proc_version=other, os_id="nixos") is None
    assert identify("6.1.119", os_id="bottlerocket", proc_version=other) is not None
    assert identify("6.6.95", hints=["minikube"]) is not None
    assert identify("4.4.0") is None
    gvisor = identify("4.4.0", proc_version="Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016")
    assert gvisor is not None
    assert gvisor.kind == "not-linux"


def test_arch_and_alpine_share_the_lts_shape() -> None:
    arch = identify("6.6.48-1-lts", proc_version="Linux version 6.6.48-1-lts (linux-lts@archlinux) (gcc)")
    alpine = identify(
        "5.4.43-1-lts", proc_version="Linux version 5.4.43-1-lts (buildozer@build-edge-aarch64)"
    )
    assert arch is not None
    assert alpine is not None
    assert (arch.family, alpine.family) == ("arch", "alpine")
    assert identify("6.6.48-1-lts") is None
    pkgrel_zero = identify("6.6.100-0-lts")  # Arch counts from 1
    assert pkgrel_zero is not None
    assert pkgrel_zero.family == "alpine"


def test_a_plus_is_cos_only_with_another_signal() -> None:
    cos, local = identify("5.15.63+", os_id="cos"), identify("5.15.63+", os_id="debian")
    assert cos is not None
    assert local is not None
    assert (cos.family, local.family) == ("cos", "local-build")
    assert local.expected == {}


def test_a_derivative_that_kept_the_name_expects_nothing_for_sure() -> None:
    debian = identify("4.19.0-6-amd64", proc_version="Linux version 4.19.0-6-amd64 #1 SMP Debian 4.19.67-2")
    uos = identify("4.19.0-6-amd64", proc_version="Linux version 4.19.0-6-amd64 #1 SMP Uos 4.19.67-11eagle")
    assert debian is not None
    assert uos is not None
    assert debian.confidence == "likely"
    assert uos.confidence == "unverified"
    assert {expected.confidence for expected in uos.expected.values()} == {"unverified"}


@pytest.mark.parametrize(
    ("release", "option"),
    [
        ("3.10.0-1160.119.1.0.5.el7.x86_64", "KPROBE_EVENTS"),  # KPROBE_EVENT then
        ("4.1.12-124.93.1.el7uek.x86_64", "UPROBE_EVENTS"),
        ("4.18.0-553.97.1.el8_10.x86_64", "SECURITY_LOCKDOWN_LSM"),  # lockdown was a patch then
        ("5.4.0-26-generic", "DEBUG_INFO_BTF"),  # came with an update
    ],
)
def test_what_had_another_name_or_came_later_is_unknown(release: str, option: str) -> None:
    identity = identify(release)
    assert identity is not None
    assert "IKHEADERS" in identity.expected
    assert option not in identity.expected


def test_expected_values_follow_the_architecture() -> None:
    x86 = identify("6.12.107+deb13-amd64")
    arm = identify("6.12.107+deb13-arm64")
    power = identify("6.12.107+deb13-powerpc64le")
    assert x86 is not None
    assert arm is not None
    assert power is not None
    assert x86.expected["FPROBE"] == Expected("y", "verified")
    assert arm.expected["FPROBE"] == Expected("n", "verified")
    assert "FPROBE" not in power.expected
    assert power.expected["IKHEADERS"] == Expected("n", "likely")
    assert "X86_KERNEL_IBT" in x86.expected
    assert "X86_KERNEL_IBT" not in arm.expected
    ubuntu = identify("6.8.0-31-generic")  # the release does not tell the machine
    assert ubuntu is not None
    assert "FPROBE" not in ubuntu.expected
    ubuntu = identify("6.8.0-31-generic", machine="aarch64")
    assert ubuntu is not None
    assert ubuntu.expected["FPROBE"] == Expected("n", "verified")
    assert ubuntu.kheaders_package == "linux-modules-extra-6.8.0-31-generic"


@pytest.mark.parametrize(
    ("release", "arch"),
    [
        ("6.1.0-50-amd64", "x86_64"),
        ("6.12.107+deb13-cloud-arm64", "aarch64"),
        ("6.12.0-1-arm64-16k", "aarch64"),
        ("5.14.0-427.el9.x86_64", "x86_64"),
        ("6.12.0-191.el10.aarch64+64k", "aarch64"),
        ("6.12.0-107.el10uek.aarch64.64k", "aarch64"),
        ("6.19.0-1.fc44.ppc64le", "ppc64le"),
        ("6.1.0-50-686-pae", "i686"),
        ("6.12.34+rpt-rpi-2712", "aarch64"),
        ("6.12.34+rpt-rpi-v7l", "armv7l"),
        ("6.8.0-31-generic", None),
        ("6.18.44-fc-v669", None),
        ("", None),
    ],
)
def test_release_arch(release: str, arch: str | None) -> None:
    assert release_arch(release) == arch


#: Where the table of read configurations has no release that uname would print.
READ = {
    "Debian 11 Bullseye": "5.10.0-32-amd64",
    "Debian 12 Bookworm": "6.1.0-50-amd64",
    "Debian 13 Trixie": "6.12.107+deb13-amd64",
    "Ubuntu 24.04 LTS Noble": "6.8.0-31-generic",
    "Ubuntu 25.04 Plucky": "6.14.0-15-generic",
    "openSUSE Tumbleweed": "6.18.7-1-default",
    "openSUSE Leap (SLES Compatible) 16.0": "6.12.0-160000.8-default",
    "Arch": "6.18.7-arch1-1",
}


@pytest.mark.skipif(not OPTIONS.exists(), reason="the table of read configurations is not here")
def test_expected_values_are_what_was_read() -> None:
    lines = OPTIONS.read_text().splitlines()
    columns = lines[1].split("|")
    compared = 0
    for line in lines[2:]:
        cells = dict(zip(columns, line.split("|"), strict=True))
        name, machine = cells["distro"].rsplit(" ", 1)
        release = READ.get(name, cells["ver"])
        if machine != "x86_64":
            release = release.replace("amd64", {"aarch64": "arm64"}.get(machine, machine))
        identity = identify(release, machine=machine)
        if identity is None or identity.kind == "vendor":
            continue
        for option, expected in identity.expected.items():
            if (
                option in cells
                and expected.confidence == "verified"
                and not name.startswith("CentOS Hyperscale 9")
            ):
                was = "n" if cells[option] == "-" else cells[option]
                # Ubuntu 20.04 got BTF later, so it is not expected either way
                assert was == expected.value, (cells["distro"], option)
                compared += 1
    assert compared > 1000


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=80), st.none() | st.text(max_size=40), st.none() | st.text(max_size=10))
def test_any_text_gives_an_identity_or_none(release: str, version: str | None, system: str | None) -> None:
    identify(release, proc_version=version, os_id=system, machine=system)


@settings(deadline=None, max_examples=200)
@given(st.from_regex(r"[4-7]\.[0-9]{1,2}\.[0-9]{1,3}(-[a-z0-9.+_-]{0,40})?", fullmatch=True))
def test_release_like_text_gives_an_identity_or_none(release: str) -> None:
    identity = identify(release)
    if identity is not None:
        assert identity.headers
        assert release in identity.decided_by[0]
