"""For which release a kernel was built, and what it is called: the release string alone does not tell."""

from __future__ import annotations

import pytest

from kdiag.knowledge.builds import DEBIAN, UBUNTU
from kdiag.knowledge.kernels import KernelIdentity, identify
from kdiag.knowledge.packages import Place, header_package
from kdiag.knowledge.suites import suite_of, used
from kdiag.parse.osrelease import OsRelease
from kdiag.parse.packages.apt_sources import Source

#: (release, uname -v, os-release, what it is called, suite, common half); uname -v as public reports print it.
SEEN = [
    ("6.8.0-40-generic", "#40~22.04.3-Ubuntu SMP", "", "Ubuntu 22.04 HWE 6.8", "jammy-updates", "hwe-6.8-"),
    ("6.8.0-40-generic", "", "ubuntu 22.04", "Ubuntu 22.04 HWE 6.8", "jammy-updates", "hwe-6.8-"),
    ("6.8.0-31-generic", "#31-Ubuntu SMP", "ubuntu 22.04", "Ubuntu 24.04 generic", "noble-updates", ""),
    ("6.8.0-31-generic", "", "ubuntu 24.04", "Ubuntu 24.04 generic", "noble-updates", ""),
    ("6.8.0-31-generic", "", "", "Ubuntu generic 6.8", None, ""),
    ("6.14.0-27-generic", "#27~24.04.1-Ubuntu", "", "Ubuntu 24.04 HWE 6.14", "noble-updates", "hwe-6.14-"),
    ("5.15.0-1055-aws", "#60-Ubuntu SMP", "", "Ubuntu 22.04 aws", "jammy-updates", "aws-"),
    ("5.15.0-1055-aws", "#60~20.04.1-Ubuntu", "", "Ubuntu 20.04 aws 5.15", "focal-updates", "aws-5.15-"),
    ("6.2.0-1011-gcp", "#11~22.04.3-Ubuntu", "", "Ubuntu 22.04 gcp 6.2", "jammy-updates", "gcp-6.2-"),
    ("5.3.0-1030-aws", "#32~18.04.1-Ubuntu", "", "Ubuntu 18.04 aws 5.3", "bionic-updates", "aws-5.3-"),
    ("4.15.0-45-generic", "#48~16.04.1-Ubuntu", "", "Ubuntu 16.04 HWE 4.15", "xenial-updates", ""),
    (
        "6.8.0-40-lowlatency",
        "#40.1~22.04.1-Ubuntu",
        "",
        "Ubuntu 22.04 lowlatency 6.8",
        "jammy-updates",
        "lowlatency-hwe-6.8-",
    ),
    ("6.5.0-1019-oem", "#20-Ubuntu", "ubuntu 22.04", "Ubuntu 22.04 oem 6.5", "jammy-updates", "oem-6.5-"),
    ("5.15.0-1050-realtime", "#56-Ubuntu", "", "Ubuntu realtime 5.15", None, "realtime-"),
    (
        "6.8.1-1015-realtime",
        "#16-Ubuntu",
        "ubuntu 24.04",
        "Ubuntu 24.04 realtime",
        "noble-updates",
        "realtime-",
    ),
    (
        "5.15.0-1050-realtime",
        "#56-Ubuntu",
        "ubuntu 22.04",
        "Ubuntu 22.04 realtime",
        "Ubuntu Pro",
        "realtime-",
    ),
    ("5.4.0-1026-fips", "#30-Ubuntu", "ubuntu 20.04", "Ubuntu 20.04 fips", "Ubuntu Pro", "fips-"),
    (
        "6.17.0-1014-nvidia",
        "#14-Ubuntu",
        "ubuntu 24.04",
        "Ubuntu 24.04 nvidia 6.17",
        "noble-updates",
        "nvidia-6.17-",
    ),
    ("5.4.0-1052-raspi", "#58~18.04.1-Ubuntu", "", "Ubuntu 18.04 raspi 5.4", "bionic-updates", "raspi-5.4-"),
    ("6.8.0-1010-thing", "#10-Ubuntu SMP", "", "Ubuntu 24.04 thing", "noble-updates", "thing-"),
    (
        "6.12.95+deb12-cloud-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1~bpo12+1 (2026-07-01)",
        "",
        "Debian 12 backports 6.12 cloud",
        "bookworm-backports",
        None,
    ),
    ("6.12.95+deb12-amd64", "", "", "Debian 12 backports 6.12 generic", "bookworm-backports", None),
    ("6.12.107+deb13-amd64", "", "debian 12", "Debian 13 generic", "trixie", None),
    (
        "6.1.0-0.deb11.21-amd64",
        "#1 SMP Debian 6.1.90-1~deb11u1 (2024-05-06)",
        "",
        "Debian 11 long-term support 6.1 generic",
        "bullseye-security",
        None,
    ),
    (
        "6.6.13+bpo-rt-amd64",
        "#1 SMP PREEMPT_RT Debian 6.6.13-1~bpo12+1 (2024-02-15)",
        "",
        "Debian 12 backports 6.6 rt",
        "bookworm-backports",
        None,
    ),
    ("7.2.13+deb14-amd64", "", "", "Debian 14 (testing or unstable) generic", "forky", None),
    (
        "6.12.9-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1 (2025-01-10)",
        "",
        "Debian 6.12 generic",
        None,
        None,
    ),
    (
        "6.1.0-50-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-05-01)",
        "",
        "Debian 12 generic",
        "bookworm",
        None,
    ),
]


def known(release: str, version: str, system: str) -> KernelIdentity:
    os_id, _, os_version = system.partition(" ")
    found = identify(
        release,
        version=version or None,
        proc_version=version or None,
        os_id=os_id or None,
        os_version=os_version or None,
    )
    assert found is not None
    return found


@pytest.mark.parametrize("case", SEEN)
def test_name_suite_and_halves(case: tuple[str, str, str, str, str | None, str | None]) -> None:
    release, version, system, name, suite, half = case
    identity = known(release, version, system)
    assert identity.name == name
    found = suite_of(identity.build, identity.flavour)
    assert (found.name if found else None) == suite
    advice = header_package(release, identity)
    assert advice.name == f"linux-headers-{release}"
    if half is not None:
        assert advice.parts == (f"linux-{half}headers-{release.rpartition('-')[0]}",)


@pytest.mark.parametrize(
    ("release", "version", "name"),
    [
        ("6.12.13-amd64", "#1 SMP PREEMPT_DYNAMIC Kali 6.12.13-1kali1 (2025-02-11)", "Kali 6.12"),
        ("6.6.12-amd64", "#1 SMP PREEMPT_DYNAMIC Parrot 6.6.12-1parrot1 (2024-02-01)", "Parrot 6.6"),
        ("4.19.0-6-amd64", "#1 SMP Uos 4.19.67-11eagle (2020-10-01)", "Uos 4.19"),
    ],
)
def test_who_rebuilds_debians_kernels_says_so(release: str, version: str, name: str) -> None:
    identity = known(release, version, "")
    assert identity.name == name
    assert "debian" not in (identity.family, identity.headers)
    assert {expected.confidence for expected in identity.expected.values()} == {"unverified"}


@pytest.mark.parametrize("release", ["6.1.0-50-amd64", "6.8.0-31-generic", "5.15.0-1055-aws"])
def test_a_name_is_not_an_owner(release: str) -> None:
    """Somebody's own build under a distribution's name: no package of the distribution is for it."""
    text = f"Linux version {release} (me@laptop) (gcc (GCC) 14.2.0) #1 SMP"
    found = identify(release, proc_version=text)
    assert found is not None
    assert "built by another" in found.name
    advice = header_package(release, found)
    assert advice.obtainable == "unknown"


def test_the_tables_have_no_two_owners() -> None:
    for table in (UBUNTU, DEBIAN):
        assert len(set(table.values())) == len(table)


# -- whether a machine uses a suite ----------------------------------------------------------------------------------

MAIN = Source("http://mirror.example/debian", ("bookworm", "bookworm-updates"))
BACKPORTS = Source("http://mirror.example/debian", ("bookworm-backports",))
MOVING = Source("http://mirror.example/debian", ("stable",))
MIRROR = Source("http://mirror.invalid/", ("our-own",))


@pytest.mark.parametrize(
    ("release", "sources", "system", "answer"),
    [
        ("6.12.95+deb12-amd64", (MAIN,), "Debian 12", "no"),
        ("6.12.95+deb12-amd64", (MAIN, BACKPORTS), "Debian 12", "yes"),
        ("6.12.95+deb12-amd64", None, "Debian 12", "unknown"),
        ("6.12.95+deb12-amd64", (MOVING,), "Debian 12", "unknown"),
        ("6.12.95+deb12-amd64", (MIRROR,), "Debian 12", "unknown"),
        ("6.1.0-50-amd64", (MAIN,), "Debian 12", "yes"),
        ("6.1.0-50-amd64", None, "Debian 12", "yes"),
        ("6.12.107+deb13-amd64", (MAIN,), "Debian 12", "no"),
        ("6.12.107+deb13-amd64", None, "Debian 12", "no"),
        ("6.12.107+deb13-amd64", None, "Devuan 6", "unknown"),
    ],
)
def test_used(release: str, sources: tuple[Source, ...] | None, system: str, answer: str) -> None:
    identity = identify(release)
    assert identity is not None
    suite = suite_of(identity.build)
    assert suite is not None
    assert used(suite, sources, system) == answer


def test_pro_is_known_by_its_address() -> None:
    identity = known("5.4.0-1026-fips", "#30-Ubuntu", "ubuntu 20.04")
    focal = OsRelease("ubuntu", ("debian",), "20.04")
    plain = Source("http://mirror.example/ubuntu", ("focal", "focal-updates"))
    pro = Source("https://esm.ubuntu.com/fips/ubuntu", ("focal",))
    assert header_package("5.4.0-1026-fips", identity, None, focal, Place("apt", (plain,))).suite_used == "no"
    assert (
        header_package("5.4.0-1026-fips", identity, None, focal, Place("apt", (plain, pro))).suite_used
        == "yes"
    )
