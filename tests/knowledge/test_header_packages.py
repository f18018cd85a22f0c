"""Header packages: exact names, who serves whom, and no command out of a hostile release."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.knowledge.kernels import identify
from kdiag.knowledge.managers import install_commands, without_questions
from kdiag.knowledge.package_kinds import UAPI_PACKAGES
from kdiag.knowledge.packages import SAFE_RELEASE, HeaderPackage, _schemes, header_package
from kdiag.parse.osrelease import OsRelease

UBUNTU = OsRelease(id="ubuntu", id_like=("debian",), version_id="24.04")
DEBIAN = OsRelease(id="debian", version_id="12")


def package(release: str, os_release: OsRelease | None = None, **hints: str) -> HeaderPackage:
    return header_package(release, identify(release, **hints), None, os_release)


#: release -> (name, version), every name as its distribution writes it
NAMES: dict[str, tuple[str, str | None]] = {
    "6.1.0-50-amd64": ("linux-headers-6.1.0-50-amd64", None),
    "6.12.107+deb13-cloud-arm64": ("linux-headers-6.12.107+deb13-cloud-arm64", None),
    "6.8.0-31-generic": ("linux-headers-6.8.0-31-generic", None),
    "6.17.0-1005-aws-64k": ("linux-headers-6.17.0-1005-aws-64k", None),
    "6.18.7-76061807-generic": ("linux-headers-6.18.7-76061807-generic", None),
    "6.8.12-4-pve": ("proxmox-headers-6.8.12-4-pve", None),
    "5.15.158-2-pve": ("pve-headers-5.15.158-2-pve", None),
    "6.12.34+rpt-rpi-2712": ("linux-headers-6.12.34+rpt-rpi-2712", None),
    "6.1.21-v8+": ("raspberrypi-kernel-headers", None),
    "6.6.44-current-sunxi64": ("linux-headers-current-sunxi64", None),
    "6.14.0-63.fc42.x86_64": ("kernel-devel-6.14.0-63.fc42.x86_64", None),
    "6.17.12-400.asahi.fc43.aarch64+16k": ("kernel-16k-devel-6.17.12-400.asahi.fc43.aarch64", None),
    "5.14.0-427.el9.x86_64": ("kernel-devel-5.14.0-427.el9.x86_64", None),
    "6.12.0-191.el10.aarch64+64k": ("kernel-64k-devel-6.12.0-191.el10.aarch64", None),
    "5.14.0-503.el9.x86_64+rt": ("kernel-rt-devel-5.14.0-503.el9.x86_64", None),
    "4.18.0-553.rt7.342.el8.x86_64": ("kernel-rt-devel-4.18.0-553.rt7.342.el8.x86_64", None),
    "6.12.0-107.59.3.3.el9uek.x86_64": ("kernel-uek-devel-6.12.0-107.59.3.3.el9uek.x86_64", None),
    "6.1.115-126.197.amzn2023.x86_64": ("kernel-devel-6.1.115-126.197.amzn2023.x86_64", None),
    "6.12.83-113.160.amzn2023.aarch64": ("kernel6.12-devel-6.12.83-113.160.amzn2023.aarch64", None),
    "6.18.5-1.2.amzn2023.x86_64": ("kernel6.18-devel-6.18.5-1.2.amzn2023.x86_64", None),
    "5.10.252-285.992.amzn2.x86_64": ("kernel-devel-5.10.252-285.992.amzn2.x86_64", None),
    "6.6.104.2-4.azl3": ("kernel-devel-6.6.104.2-4.azl3", None),
    "5.10.83-7.ph4-esx": ("linux-esx-devel-5.10.83-7.ph4", None),
    "6.1.83-4.ph5": ("linux-devel-6.1.83-4.ph5", None),
    "6.18.7-1-default": ("kernel-default-devel", "6.18.7-1.*"),
    "5.14.21-150400.24.81-default": ("kernel-default-devel", "5.14.21-150400.24.81.*"),
    "6.8.1-arch1-1": ("linux-headers", "6.8.1.arch1-1"),
    "6.8.0-arch1-1": ("linux-headers", "6.8.arch1-1"),
    "6.9.4-zen1-1-zen": ("linux-zen-headers", "6.9.4.zen1-1"),
    "6.15.11-hardened1-1-hardened": ("linux-hardened-headers", "6.15.11.hardened1-1"),
    "6.6.54-2-MANJARO": ("linux66-headers", "6.6.54-2"),
    "6.12.10-1-MANJARO": ("linux612-headers", "6.12.10-1"),
    "6.17.5-1.3-cachyos": ("linux-cachyos-headers", "6.17.5-1.3"),
    "6.2.10-1-aarch64-ARCH": ("linux-aarch64-headers", "6.2.10-1"),
    "6.1.52-valve16-1-neptune-61": ("linux-neptune-61-headers", None),
    "6.6.100-0-lts": ("linux-lts-dev", "6.6.100-r0"),
    "6.12.31-0-virt": ("linux-virt-dev", "6.12.31-r0"),
    "6.12.52_1": ("linux6.12-headers", "6.12.52_1"),
    "3.10.0-1160.el7.centos.plus.x86_64": ("kernel-plus-devel-3.10.0-1160.el7.centos.plus.x86_64", None),
    "6.6.22-desktop-1.mga9": ("kernel-desktop-devel-6.6.22-1.mga9", None),
    "6.16.8+kali-amd64": ("linux-headers-6.16.8+kali-amd64", None),
    "6.15.1-x64v3-xanmod1": ("linux-headers-6.15.1-x64v3-xanmod1", None),
    "4.18.0-513.24.1.lve.el8.x86_64": ("kernel-devel-4.18.0-513.24.1.lve.el8.x86_64", None),
}


@pytest.mark.parametrize(("release", "expected"), NAMES.items())
def test_exact_names(release: str, expected: tuple[str, str | None]) -> None:
    found = package(release)
    assert (found.name, found.version) == expected
    assert found.obtainable == ("unknown" if "neptune" in release else "yes")
    assert found.install[-1][-1] == found.name or found.name in found.install[-1]
    assert not set(found.install[-1]) & UAPI_PACKAGES


def test_arch_lts_is_known_by_its_builder() -> None:
    found = package("6.6.48-1-lts", proc_version="Linux version 6.6.48-1-lts (linux-lts@archlinux)")
    assert (found.name, found.version) == ("linux-lts-headers", "6.6.48-1")


@pytest.mark.parametrize(
    ("release", "parts"),
    [
        ("5.10.0-32-cloud-amd64", ("linux-headers-5.10.0-32-common", "linux-kbuild-5.10")),
        ("6.1.0-50-amd64", ("linux-headers-6.1.0-50-common", "linux-kbuild-6.1")),
        ("6.12.107+deb13-amd64", ("linux-headers-6.12.107+deb13-common", "linux-kbuild-6.12.107+deb13")),
        (
            "6.12.107+deb13-rt-amd64",
            ("linux-headers-6.12.107+deb13-common-rt", "linux-kbuild-6.12.107+deb13"),
        ),
        ("6.12.107+deb13-arm64-16k", ("linux-headers-6.12.107+deb13-common", "linux-kbuild-6.12.107+deb13")),
        ("6.8.0-31-generic", ("linux-headers-6.8.0-31",)),
        ("6.14.0-1012-azure", ("linux-azure-headers-6.14.0-1012",)),
        ("6.12.34+rpt-rpi-2712", ("linux-headers-6.12.34+rpt-common-rpi", "linux-kbuild-6.12.34+rpt")),
        ("6.18.7-1-default", ("kernel-devel", "kernel-macros")),
    ],
)
def test_parts(release: str, parts: tuple[str, ...]) -> None:
    assert package(release).parts == parts


def test_metas_for_a_kernel_that_the_repository_no_longer_has() -> None:
    assert package("6.1.0-20-cloud-arm64").metas == ("linux-headers-cloud-arm64",)
    assert package("6.8.0-1020-aws").metas == ("linux-headers-aws", "linux-headers-aws-6.8")
    assert package("6.12.34+rpt-rpi-v8").metas == ("linux-headers-rpi-v8",)
    assert "proxmox-default-headers" in package("6.8.12-4-pve").metas
    assert "reboot" in package("6.1.0-20-amd64").gone
    assert "snapshot" in package("6.1.0-20-amd64").gone


@pytest.mark.parametrize(
    "release",
    [
        "6.15.11-orbstack-00539-g9885ebd8e3f4",
        "6.6.16-linuxkit",
        "5.15.49-linuxkit-pr",
        "6.6.87.2-microsoft-standard-WSL2",
        "4.19.67-microsoft-standard",
        "6.18.45-talos",
        "6.12.51-flatcar",
        "6.18.44-fc-v669",
        "6.18.39-79.141.amzn2023.x86_64.microvm",
        "5.10.43-android12-9-00031-g02d62d5cece1",
    ],
)
@pytest.mark.parametrize("os_release", [None, UBUNTU, DEBIAN, OsRelease(id="fedora")])
def test_vendor_kernels_have_no_package_whatever_os_release_says(
    release: str, os_release: OsRelease | None
) -> None:
    found = package(release, os_release)
    assert found.obtainable == "no"
    assert found.here == "no"
    assert found.name is None
    assert found.install == ()
    assert found.reason
    assert f"release {release}" in found.decided_by


def test_container_of_another_distribution() -> None:
    found = package("6.1.0-50-amd64", UBUNTU)
    assert found.name == "linux-headers-6.1.0-50-amd64"
    assert (found.obtainable, found.here) == ("yes", "no")
    assert "ubuntu" in found.here_reason
    assert package("6.8.0-31-generic", DEBIAN).here == "no"
    assert package("6.8.0-31-generic", UBUNTU).here == "yes"
    assert package("6.14.0-63.fc42.x86_64", UBUNTU).here == "no"


def test_relatives_may_have_the_same_packages() -> None:
    assert package("6.8.0-31-generic", OsRelease(id="linuxmint", id_like=("ubuntu", "debian"))).here == "yes"
    assert package("6.8.0-31-generic", OsRelease(id="tuxedo", id_like=("ubuntu", "debian"))).here == "unknown"
    assert package("6.8.12-4-pve", DEBIAN).here == "unknown"
    assert package("5.14.0-427.el9.x86_64", OsRelease(id="rocky", id_like=("rhel",))).here == "yes"
    assert package("6.1.0-50-amd64", OsRelease()).here == "unknown"
    # Linux Mint's Debian edition is called as the one on Ubuntu is
    assert package("6.1.0-50-amd64", OsRelease("linuxmint", ("debian",), "6")).here == "unknown"
    assert package("6.1.0-50-amd64", OsRelease("linuxmint", ("ubuntu", "debian"), "22")).here == "no"


@pytest.mark.parametrize(
    ("release", "system", "used"),
    [
        ("6.9.12-200.fc40.x86_64", OsRelease("fedora", version_id="41"), "no"),
        ("4.18.0-553.97.1.el8_10.x86_64", OsRelease("almalinux", ("rhel",), "9.4"), "no"),
        ("5.14.0-427.el9.x86_64", OsRelease("rocky", ("rhel", "centos"), "9.4"), None),
        ("6.9.12-200.fc41.x86_64", OsRelease("fedora", version_id="41"), None),
    ],
)
def test_an_rpm_of_another_release(release: str, system: OsRelease, used: str | None) -> None:
    """A kernel of Fedora 40 under the files of Fedora 41, as after half an upgrade: 41's repositories lack it."""
    found = package(release, system)
    assert (found.suite_used if found.suite else None) == used


def test_install_commands_per_manager() -> None:
    assert package("6.1.0-50-amd64").install == (
        ("apt-get", "update"),
        ("apt-get", "install", "linux-headers-6.1.0-50-amd64"),
    )
    assert package("3.10.0-1160.119.1.0.5.el7.x86_64").install[0][0] == "yum"
    assert package("5.14.0-427.el9.x86_64").install[0][0] == "dnf"
    assert package("6.18.7-1-default").install == (
        ("zypper", "install", "kernel-default-devel", "kernel-devel", "kernel-macros"),
    )
    assert package("6.6.100-0-lts").install == (("apk", "add", "linux-lts-dev"),)
    assert install_commands("unheard-of", ["a"]) == ()


def test_answering_questions_beforehand() -> None:
    assert without_questions(("apt-get", "install", "a")) == ("apt-get", "-y", "install", "a")
    assert without_questions(("zypper", "install", "a")) == ("zypper", "--non-interactive", "install", "a")
    assert without_questions(("apk", "add", "a")) == ("apk", "add", "a")
    assert without_questions(()) == ()


def test_unverified_names_say_so() -> None:
    assert package("6.6.54-2-MANJARO").confidence == "unverified"
    assert package("6.17.0-0.el10ueknext.aarch64").confidence == "unverified"
    assert package("6.1.0-50-amd64").confidence == "verified"
    assert package("6.12.0-107.59.3.3.el9uek.x86_64").confidence == "likely"


def test_unknown_kernel() -> None:
    found = package("6.12.107-kdiaglab", UBUNTU)
    assert (found.obtainable, found.name, found.install) == ("unknown", None, ())
    assert "ID=ubuntu" in found.reason


def test_elrepo_has_two_candidates_and_no_command() -> None:
    found = package("6.8.1-1.el7.elrepo.x86_64")
    assert (found.name, found.install) == (None, ())
    assert "kernel-ml-devel-6.8.1-1.el7.elrepo.x86_64" in found.alternatives


def test_container_optimized_os_names_the_archive_of_the_build() -> None:
    node = OsRelease(id="cos", build_id="18244.151.27")
    identity = identify("6.1.85+", os_id="cos")
    x86 = header_package("6.1.85+", identity, "x86_64", node).instead
    assert x86[-1].do.endswith(" gs://cos-tools/18244.151.27/kernel-headers.tgz")
    arm = header_package("6.1.85+", identity, "aarch64", node).instead
    assert arm[-1].do.endswith(" gs://cos-tools/18244.151.27/lakitu-arm64/kernel-headers.tgz")
    hostile = OsRelease(id="cos", build_id="../../x y")
    assert not any(
        "cos-tools" in way.do for way in header_package("6.1.85+", identity, None, hostile).instead
    )


@pytest.mark.parametrize(
    "release", ["6.1.0-50-amd64; reboot", "$(id)", "-rf", "a b", "", "../../etc", "6.1.0\n", "x" * 200]
)
def test_hostile_releases_give_no_command(release: str) -> None:
    # an identity that a caller got for another release must not open the door either
    found = header_package(release, identify("6.1.0-50-amd64"))
    assert (found.obtainable, found.name, found.install, found.trees) == ("unknown", None, (), ())


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([*NAMES, "6.6.16-linuxkit", "6.8.1-1.el7.elrepo.x86_64", "6.12.55"]),
    st.text(max_size=40),
)
def test_commands_hold_only_plain_words(known: str, release: str) -> None:
    identity = identify(known)
    for text in (release, known + release, known):
        for command in header_package(text, identity).install:
            assert all(SAFE_RELEASE.fullmatch(word) or word in ("-S", "-A", "<nixpkgs>") for word in command)


def test_schemes_are_complete() -> None:
    for name, scheme in _schemes().items():
        assert scheme["obtainable"] in ("yes", "no", "unknown"), name
        assert scheme["reason"]
        assert scheme["confidence"] in ("verified", "likely", "unverified")
        assert set(scheme) >= {"os_ids", "traps", "trees", "gone", "notes"}, name
        for way in scheme.get("instead", ()):
            assert way.get("when", "") in ("", "btf", "no-btf", "kheaders")
            assert way["do"][0].isupper()
            assert not way["do"].endswith(".")
        if scheme["obtainable"] == "no":
            assert not scheme["os_ids"]
            assert "package" not in scheme
        if scheme["obtainable"] == "yes":
            assert scheme["gone"], name
