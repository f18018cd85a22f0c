"""How bpftrace was built, the pairs that are known to be broken, and the functions that stock scripts probe."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ, OLDEST_READ
from kdiag.knowledge.tools.bpftrace_tried import TRIED, proof
from kdiag.knowledge.tools.faults import WHERE, faults, finding_id
from kdiag.knowledge.tools.stock_scripts import of, scripts
from kdiag.model import Report, Status, Works
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.programs import elf
from tests.support.reports import report_on

PROGRAM = "/usr/bin/bpftrace"
Change = Callable[[Description], object]


def look(version: str, release: str = "6.12.107+deb13-amd64", *changes: Change) -> Report:
    described = machines.bpftrace(machines.linux(release), version)
    for change in changes:
        change(described)
    return report_on(described.recording())


def works(report: Report, capability: str) -> Works:
    return next(one.status for one in report.capabilities if one.id == capability)


# -- the build --------------------------------------------------------------------------------------------------------


def built(version: str, *needed: str, head: bytes = b"") -> tuple[Status, str, str]:
    data = elf(*needed)
    data = head + data[len(head) :]
    report = look(version, "6.12.107+deb13-amd64", lambda x: x.file(PROGRAM, data, mode=0o755))
    found = report.finding("tools.bpftrace-build")
    assert found is not None
    return found.status, found.summary, found.evidence[0].observed


ALL = ("libLLVM.so.19.1", "libbfd-2.44-system.so", "liblldb-19.so.1", "libpcap.so.0.8", "libbpf.so.1")


def test_the_libraries_tell() -> None:
    status, summary, seen = built("0.23.2", *ALL)
    assert (status, summary) == (Status.OK, "bpftrace was built with LLVM 19")
    assert seen == "shared libraries, LLVM 19, libbfd, libbpf, liblldb, libpcap"
    status, summary, _ = built("0.23.2", "libLLVM.so.19.1")
    assert (status, summary) == (
        Status.OK,
        "bpftrace was built with LLVM 19, without libbfd and liblldb and libpcap",
    )
    _, summary, _ = built("0.12.1", "libclang-11.so.13", "libopcodes-2.35.so")
    assert summary == "bpftrace was built with LLVM 11"
    _, summary, _ = built("0.24.1", "libbpf.so.1", "libbfd.so", "libdw.so.1", "libpcap.so.1")
    assert summary == "bpftrace was built with LLVM in the program itself"


def test_an_llvm_that_its_own_build_refuses() -> None:
    status, summary, _ = built("0.22.1", "libLLVM.so.20.1")
    assert status is Status.WARN
    assert summary == "bpftrace 0.22.1 is made for LLVM 13 to 19, and was built with 20"
    status, summary, _ = built("0.12.1", "libLLVM-5.so.1")
    assert (status, summary) == (
        Status.WARN,
        "bpftrace 0.12.1 is made for LLVM 6 or newer, and was built with 5",
    )


def test_one_file_with_all_in_it() -> None:
    assert built("0.24.1")[:2] == (Status.OK, "bpftrace is one file with its libraries in it (static)")
    appimage = b"\x7fELF\x02\x01\x01\x00AI\x02"
    assert built("0.21.3", *ALL, head=appimage)[1:] == (
        "bpftrace is one file with its libraries in it (AppImage)",
        "AppImage",
    )


STORE = "/nix/store/9x-bpftrace-0.23.2/bin/bpftrace"
NIX_LOADER = "/nix/store/4k-glibc-2.40/lib/ld-linux-x86-64.so.2"


def in_the_store(described: Description) -> None:
    """NixOS: what is on PATH is a link into the store."""
    described.program("bpftrace", "/run/current-system/sw/bin/bpftrace")
    described.link("/run/current-system/sw/bin/bpftrace", STORE).file(STORE, elf(*ALL), mode=0o755)
    described.command("/run/current-system/sw/bin/bpftrace --version", "bpftrace v0.23.2\n")


def from_a_snap(*places: str) -> Change:
    def change(described: Description) -> None:
        described.program("bpftrace", "/snap/bin/bpftrace").link("/snap/bin/bpftrace", "/usr/bin/snap")
        described.file("/usr/bin/snap", elf("libc.so.6"), mode=0o755)
        described.command("/snap/bin/bpftrace --version", "bpftrace v0.23.2\n")
        for place in places:
            described.file(place, elf(*ALL), mode=0o755)

    return change


@pytest.mark.parametrize(
    ("change", "status", "seen"),
    [
        (in_the_store, Status.OK, "from nix, shared libraries, LLVM 19"),
        (
            lambda x: x.file(PROGRAM, elf(*ALL, interpreter=NIX_LOADER), mode=0o755),
            Status.OK,
            "from nix, shared libraries, LLVM 19",
        ),
        (
            from_a_snap("/snap/bpftrace/current/usr/bin/bpftrace"),
            Status.OK,
            "from snap, shared libraries, LLVM 19",
        ),
        (from_a_snap(), Status.UNKNOWN, ""),
    ],
    ids=["a link into the store", "a copy of the store's", "a snap", "a snap that is not to be seen"],
)
def test_who_built_it_is_told_apart(change: Change, status: Status, seen: str) -> None:
    """/snap/bin/bpftrace is a link to snap, whose libraries are not bpftrace's."""
    found = look("0.23.2", "6.12.107+deb13-amd64", change).finding("tools.bpftrace-build")
    assert found is not None and found.status is status, found
    assert not seen or found.evidence[0].observed.startswith(seen), found


def test_what_no_program_is_tells_nothing() -> None:
    report = look("0.23.2", "6.12.107+deb13-amd64", lambda x: x.file(PROGRAM, "#!/bin/sh\n", mode=0o755))
    found = report.finding("tools.bpftrace-build")
    assert found is not None and found.status is Status.UNKNOWN, found


# -- what was tried ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "since", "kernel", "tried", "words"),
    [
        ((0, 24, 1), (0, 24, 0), (6, 12, 0), False, "expected from the sources of 0.24.0; no 0.24 was tried"),
        ((0, 23, 2), (0, 23, 0), (6, 12, 107), True, "0.23.2 was tried on Linux 5.10, 6.1, 6.12, 7.2, 7.3"),
        (
            (0, 23, 2),
            (0, 23, 0),
            (6, 8, 0),
            False,
            "expected on this kernel; 0.23.2 was tried on Linux 5.10, 6.1, 6.12, 7.2, 7.3",
        ),
        (
            (0, 23, 5),
            (0, 23, 4),
            (6, 12, 0),
            False,
            "expected from the sources of 0.23.4; 0.23.2 was tried on Linux 5.10, 6.1, 6.12, 7.2, 7.3",
        ),
    ],
)
def test_what_predictions_rest_on(
    release: tuple[int, int, int],
    since: tuple[int, int, int],
    kernel: tuple[int, ...],
    tried: bool,
    words: str,
) -> None:
    assert proof(release, since, kernel) == (tried, words)


@pytest.mark.parametrize("release", ["0.24.1", "0.25.1"])
def test_the_report_says_so(release: str) -> None:
    found = look(release).finding("tools.bpftrace")
    assert found is not None
    said = [one.observed for one in found.evidence if one.source == "knowledge"]
    line = release.rpartition(".")[0]
    assert len(said) == 1 and said[0].startswith("expected from the sources of")
    assert said[0].endswith(f"no {line} was tried: `kdiag smoke` proves it")


def test_only_releases_that_were_read_are_said_to_be_tried() -> None:
    assert set(TRIED) == {release for release in TRIED if OLDEST_READ <= release <= NEWEST_READ}


# -- known to be broken -----------------------------------------------------------------------------------------------


def config(**options: str) -> Change:
    release = "6.12.107+deb13-amd64"
    return lambda x: x.file(f"/boot/config-{release}", parts.config("6.12.107", options))


#: The fault, the release that has it, the kernel, what else is so, and the capability that fares so.
CASES: list[tuple[str, str, str, tuple[Change, ...], tuple[str, Works]]] = [
    ("kretprobe-multi", "0.16.0", "6.12.107+deb13-amd64", (), ("kprobe-multi", Works.CAVEAT)),
    ("module-btf", "0.17.1", "5.10.0-32-amd64", (), ("fentry", Works.FAILS)),
    ("data-loc", "0.23.2", "6.12.107+deb13-amd64", (), ("tracepoint-sched", Works.WORKS)),
    ("strerror", "0.25.1", "6.12.107+deb13-amd64", (), ("hello", Works.WORKS)),
    ("session-retval", "0.24.1", "6.12.107+deb13-amd64", (), ("hello", Works.WORKS)),
    ("fentry-locks", "0.20.0", "6.12.107+deb13-amd64", (), ("fentry", Works.WORKS)),
    ("iterator-list", "0.17.1", "6.12.107+deb13-amd64", (), ("hello", Works.WORKS)),
    (
        "container-uprobes",
        "0.17.1",
        "6.12.107+deb13-amd64",
        (lambda x: machines.container(x, machines.ALL_CAPABILITIES),),
        ("hello", Works.WORKS),
    ),
    (
        "type-tags",
        "0.20.0",
        "6.12.107+deb13-amd64",
        (lambda x: x.file("/sys/kernel/btf/vmlinux", parts.btf(tags=True), mode=0o444),),
        ("struct", Works.CAVEAT),
    ),
]


@pytest.mark.parametrize(("id_", "version", "release", "changes", "wanted"), CASES)
def test_a_pair_that_is_known_to_be_broken(
    id_: str, version: str, release: str, changes: tuple[Change, ...], wanted: tuple[str, Works]
) -> None:
    report = look(version, release, *changes)
    found = report.finding(f"tools.bpftrace-fault.{id_}")
    assert found is not None and found.status is Status.WARN, found
    assert found.evidence[0].observed
    assert works(report, wanted[0]) is wanted[1]


def test_other_releases_and_kernels_have_none_of_them() -> None:
    report = look("0.27.1")
    assert not [one for one in report.findings if one.id.startswith("tools.bpftrace-fault.")]
    assert look("0.17.1").finding("tools.bpftrace-fault.module-btf") is None
    assert look("0.20.0").finding("tools.bpftrace-fault.type-tags") is None


def test_a_condition_that_cannot_be_seen_makes_no_finding() -> None:
    described = machines.bpftrace(
        machines.linux("6.1.0-18-arm64", machine="aarch64", config_at=None), "0.17.0"
    )
    assert report_on(described.recording()).finding("tools.bpftrace-fault.kasan-arm64") is None
    described = machines.bpftrace(
        machines.linux("6.1.0-18-arm64", machine="aarch64", options={"KASAN": "y"}), "0.17.0"
    )
    assert report_on(described.recording()).finding("tools.bpftrace-fault.kasan-arm64") is not None
    refused = look("0.16.0", "6.12.107+deb13-amd64", lambda x: x.probe("bpf:kprobe-multi", errno.EINVAL))
    assert refused.finding("tools.bpftrace-fault.kretprobe-multi") is None


def test_every_row_of_the_table() -> None:
    tried = {case[0] for case in CASES} | {"kasan-arm64"}
    assert {fault.id for fault in faults()} == tried
    for fault in faults():
        assert fault.where in WHERE
        assert OLDEST_READ < fault.since <= fault.until <= NEWEST_READ
        assert finding_id(fault).endswith(fault.id)


# -- stock scripts ----------------------------------------------------------------------------------------------------


def whole(*functions: str) -> Change:
    """A kernel's BTF with as many types as a small kernel has, and these functions."""
    data = parts.btf(functions=functions, padding=6000)
    return lambda x: x.file("/sys/kernel/btf/vmlinux", data, mode=0o444)


def test_functions_that_went_away() -> None:
    report = look("0.17.0", "6.12.107+deb13-amd64", whole("blk_mq_start_request", "unix_stream_read_actor"))
    found = report.finding("tools.bpftrace-scripts")
    assert found is not None and found.status is Status.WARN
    assert found.summary == (
        "biolatency.bt, biosnoop.bt, biostacks.bt, swapin.bt do not find the functions that they probe"
    )
    tools = next(one for one in report.capabilities if one.id == "stock-tools")
    assert tools.status is not Works.WORKS and "tools.bpftrace-scripts" in tools.findings


def test_one_of_several_names_is_enough() -> None:
    there = ("__blk_account_io_start", "__blk_account_io_done", "blk_mq_start_request", "swap_readpage")
    report = look("0.17.0", "6.1.0-18-amd64", whole(*there, "unix_stream_read_actor"))
    found = report.finding("tools.bpftrace-scripts")
    assert found is not None and found.status is Status.OK, found


def test_a_part_of_a_kernel_tells_nothing() -> None:
    found = look("0.17.0").finding("tools.bpftrace-scripts")
    assert found is not None and found.status is Status.SKIP
    gone = look("0.17.0", "6.12.107+deb13-amd64", machines.without_btf).finding("tools.bpftrace-scripts")
    assert gone is not None and gone.status is Status.SKIP


def test_each_release_has_a_script_once() -> None:
    for release in [(0, minor, patch) for minor in range(11, 28) for patch in range(6)]:
        names = [script.name for script in of(release)]
        assert len(names) == len(set(names)), release
    assert all(script.clauses for script in scripts())
