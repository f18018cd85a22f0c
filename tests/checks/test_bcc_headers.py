"""Which headers BCC takes, where it unpacks the kernel's own, and remedies in its own words."""

from __future__ import annotations

import pytest

from kdiag.machine import Machine
from kdiag.model import Finding, Status, Works
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

LIBRARY = "/usr/lib/x86_64-linux-gnu/libbcc.so"


def with_bcc(release: str = "6.12.94-lab", version: str = "0.26.0") -> Description:
    described = machines.bcc_starts(machines.linux(release))
    return described.file(f"{LIBRARY}.{version}", b"\x7fELF")


def headers(described: Description) -> Finding:
    finding = report_on(described.recording()).finding("headers.bcc")
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("version", "place"), [("0.25.0", "/tmp"), ("0.26.0", "/var/tmp/mine"), ("0.31.0", "/var/tmp/mine")]
)
def test_it_unpacks_into_tmpdir_since_it_reads_that(version: str, place: str) -> None:
    described = machines.kheaders(with_bcc(version=version), "builtin").env("TMPDIR", "/var/tmp/mine")
    finding = headers(described)
    assert finding.status is Status.OK
    assert finding.summary.endswith(f" into {place}/kheaders-{described.release}")


@pytest.mark.parametrize(("version", "takes"), [("0.25.0", "/tmp"), ("0.26.0", "/var/tmp/mine")])
def test_it_takes_from_where_it_unpacks(version: str, takes: str) -> None:
    """Both places hold a tree, and TMPDIR names one of them."""
    described = machines.kheaders(with_bcc(version=version), "builtin").env("TMPDIR", "/var/tmp/mine")
    for place in ("/tmp", "/var/tmp/mine"):
        machines.tree(described, f"{place}/kheaders-{described.release}")
    chosen = Machine(described.recording()).headers.for_bcc
    assert chosen is not None
    assert chosen.source == f"{takes}/kheaders-{described.release}"


def test_what_it_unpacked_before_is_what_it_takes() -> None:
    described = machines.kheaders(with_bcc(), "builtin")
    place = f"/tmp/kheaders-{described.release}"
    finding = headers(machines.tree(described, place))
    assert (finding.status, place in finding.summary) == (Status.OK, True)


def test_an_emptied_tree_is_in_the_way_of_a_good_archive() -> None:
    described = machines.kheaders(with_bcc(), "builtin")
    place = f"/tmp/kheaders-{described.release}"
    finding = headers(described.dir(f"{place}/include"))
    assert finding.status is Status.FAIL
    assert "emptied" in finding.summary
    assert finding.remedies[0].commands == (f"sudo rm -r {place}",)


def test_a_directory_of_another_user_is_not_taken() -> None:
    described = machines.kheaders(with_bcc(), "builtin")
    place = f"/tmp/kheaders-{described.release}"
    machines.tree(described, place)
    described.dir(place, uid=1000)
    finding = headers(described)
    assert finding.status is Status.FAIL
    assert "uid 1000" in finding.summary


@pytest.mark.parametrize(("version", "status"), [("0.21.0", Status.FAIL), ("0.22.0", Status.OK)])
def test_a_directory_without_kconfig_is_left_aside_where_the_kernel_has_the_headers(
    version: str, status: Status
) -> None:
    described = machines.kheaders(with_bcc(version=version), "builtin")
    described.dir("/usr/src/left").link(f"/lib/modules/{described.release}/build", "/usr/src/left")
    assert headers(described).status is status


def test_it_is_pointed_to_headers_by_its_own_variable() -> None:
    described = with_bcc("6.12.94-lab")
    machines.tree(described, f"/usr/src/linux-headers-{described.release}")
    commands = [c for remedy in headers(described).remedies for c in remedy.commands]
    assert any("BCC_KERNEL_SOURCE=/usr/src/" in c and "execsnoop" in c for c in commands)
    assert not any("bpftrace" in c or "BPFTRACE" in c for c in commands)


@pytest.mark.parametrize(("release", "status"), [("4.19.94-lab", Status.FAIL), ("5.4.94-lab", Status.WARN)])
def test_another_kernels_headers_are_refused_by_a_kernel_that_compares(release: str, status: Status) -> None:
    described = with_bcc(release)
    place = "/usr/src/other"
    machines.tree(described, place, release=release.replace("94", "90")).link(
        f"/lib/modules/{release}/build", place
    )
    finding = headers(described)
    assert finding.status is status
    told = any("BCC_LINUX_VERSION_CODE" in c for remedy in finding.remedies for c in remedy.commands)
    assert told is (status is Status.FAIL)
    assert "bpftrace" not in finding.reason


# -- variables that few set -------------------------------------------------------------------------------------------


def built(version: str = "0.26.0") -> Description:
    described = with_bcc(version=version)
    place = f"/usr/src/linux-headers-{described.release}"
    return machines.tree(described, place).link(f"/lib/modules/{described.release}/build", place)


@pytest.mark.parametrize(
    ("arch", "status"),
    [(None, Status.OK), ("x86_64", Status.OK), ("x86", Status.OK), ("arm64", Status.FAIL), ("", Status.FAIL)],
)
def test_arch_leads_bcc_to_another_architecture(arch: str | None, status: Status) -> None:
    report = report_on(built().env("ARCH", arch).recording())
    finding = report.finding("headers.bcc-env")
    assert finding is not None and finding.status is status, finding
    mine = {c.id: c.status for c in report.capabilities}
    assert (mine["bcc-headers"] is Works.FAILS) is (status is Status.FAIL)
    assert status is Status.OK or finding.remedies[0].commands == ("unset ARCH",)


@pytest.mark.parametrize(("suffix", "status"), [("mine", Status.OK), ("nowhere", Status.FAIL)])
def test_another_directory_in_the_place_of_build(suffix: str, status: Status) -> None:
    described = built()
    base = f"/lib/modules/{described.release}"
    machines.tree(described, f"{base}/mine")
    described.env("BCC_KERNEL_MODULES_SUFFIX", suffix)
    chosen = Machine(described.recording()).headers.for_bcc
    assert chosen is not None and chosen.source == f"{base}/{suffix}"
    report = report_on(described.recording())
    for name in ("headers.bcc-env", "headers.bcc"):
        finding = report.finding(name)
        assert finding is not None and finding.status is status, finding


def test_the_suffix_is_not_looked_at_where_there_are_both() -> None:
    """get_kernel_path_info(): source, as Debian has it."""
    described = machines.debian_headers(with_bcc("6.12.107+deb13-amd64"))
    described.env("BCC_KERNEL_MODULES_SUFFIX", "nowhere")
    chosen = Machine(described.recording()).headers.for_bcc
    assert chosen is not None and chosen.source.endswith("/source")
