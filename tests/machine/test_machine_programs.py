"""Which libraries programs load, judged from files; and the libbpf of each tool on a machine with several."""

from __future__ import annotations

import errno

import pytest

from kdiag.machine import Machine
from kdiag.machine.programs.libbpf import Libbpf
from kdiag.machine.programs.loader import Missing
from kdiag.model import Status, Works
from kdiag.system import Unavailable
from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.programs import GLIBC, cache, elf
from tests.support.reports import report_on

PROGRAM, HOME = "/usr/bin/bpftrace", "/usr/lib/x86_64-linux-gnu"
LIBRARY = elf("libc.so.6", interpreter="")


def of(described: Description) -> Machine:
    return Machine(described.recording())


def found(described: Description, soname: str = "libbpf.so.1") -> str | None:
    return of(described).tools.loader.find(soname, PROGRAM)


def program(*needed: str, runpath: str = "", rpath: str = "", interpreter: str = GLIBC) -> Description:
    data = elf(*needed, runpath=runpath, rpath=rpath, interpreter=interpreter)
    return machines.bpftrace(machines.linux(), "0.23.2").file(PROGRAM, data, mode=0o755)


def library(described: Description, directory: str, release: str) -> Description:
    """A libbpf as it is installed: the file, and the link by which it is loaded."""
    name = f"libbpf.so.{release}"
    described.file(f"{directory}/{name}", LIBRARY)
    return described.link(f"{directory}/libbpf.so.{release.partition('.')[0]}", f"{directory}/{name}")


def test_the_places_in_their_order() -> None:
    described = program("libbpf.so.1", runpath="$ORIGIN/../own")
    assert found(described) is None
    described.file("/usr/lib64/libbpf.so.1", LIBRARY)
    assert found(described) == "/usr/lib64/libbpf.so.1"
    described.file("/opt/lib/libbpf.so.1", LIBRARY)
    described.file("/etc/ld.so.cache", cache([("libbpf.so.1", "/opt/lib/libbpf.so.1")]))
    assert found(described) == "/opt/lib/libbpf.so.1"
    described.file("/usr/bin/../own/libbpf.so.1", LIBRARY)
    assert found(described) == "/usr/bin/../own/libbpf.so.1"


def test_a_library_of_another_architecture_is_passed_over() -> None:
    described = program("libbpf.so.1").file("/usr/lib64/libbpf.so.1", LIBRARY)
    described.file("/opt/libbpf.so.1", elf("libc.so.6", interpreter="", bits=32, machine=3))
    described.file("/etc/ld.so.cache", cache([("libbpf.so.1", "/opt/libbpf.so.1")]))
    assert found(described) == "/usr/lib64/libbpf.so.1"


def test_musls_loader_has_no_cache() -> None:
    described = program("libbpf.so.1", interpreter="/lib/ld-musl-x86_64.so.1")
    described.file("/etc/ld.so.cache", cache([("libbpf.so.1", "/opt/libbpf.so.1")]))
    described.file("/opt/libbpf.so.1", LIBRARY).file("/usr/lib/libbpf.so.1", LIBRARY)
    assert found(described) == "/usr/lib/libbpf.so.1"
    described.file("/etc/ld-musl-x86_64.path", "/lib\n/opt\n")
    assert found(described) == "/opt/libbpf.so.1"


def test_what_is_missing_is_found_behind_what_is_there() -> None:
    described = program("libbcc.so.0").file(f"{HOME}/libbcc.so.0", elf("libLLVM-14.so.1", interpreter=""))
    loader = of(described).tools.loader
    assert loader.missing(PROGRAM) == Missing("libLLVM-14.so.1", f"{HOME}/libbcc.so.0")
    described.file(f"{HOME}/libLLVM-14.so.1", elf("libbcc.so.0", interpreter=""))
    assert of(described).tools.loader.missing(PROGRAM) is None


def test_a_program_that_may_not_be_read_tells_nothing() -> None:
    with pytest.raises(Unavailable):
        of(program("libbpf.so.1").refuse(PROGRAM, errno.EACCES)).tools.loader.missing(PROGRAM)


# -- several libbpf ----------------------------------------------------------------------------------------------------


def two() -> Description:
    """An old one that the distribution has, and a newer one that `make install` put into /usr/lib64."""
    described = machines.linux().program("bpftrace", PROGRAM)
    described.command(f"{PROGRAM} --version", "bpftrace v0.14.1\n")
    machines.installed(described, ("bpftrace", "0.14.1-1"))
    library(described, HOME, "0.8.1")
    library(described, "/usr/lib64", "1.4.0")
    entries = [(f"libbpf.so.{n}", f"{place}/libbpf.so.{n}") for n, place in ((0, HOME), (1, "/usr/lib64"))]
    return described.file("/etc/ld.so.cache", cache(entries))


@pytest.mark.parametrize(
    ("needed", "release"),
    [("libbpf.so.0", (0, 8, 1)), ("libbpf.so.1", (1, 4, 0)), ("libbcc.so.0", (0, 8, 1))],
)
def test_bpftraces_own(needed: str, release: tuple[int, int, int]) -> None:
    described = two().file(PROGRAM, elf(needed), mode=0o755)
    described.file(f"{HOME}/libbcc.so.0", elf("libbpf.so.0", interpreter=""))
    own = of(described).tools.own_libbpf.of_bpftrace
    assert own is not None and own.version == release and own.exact
    report = report_on(described.recording())
    mine = report.finding("btf.bpftrace")
    assert mine is not None and (mine.status is Status.FAIL) is (release < (1, 0, 0)), mine
    works = next(c for c in report.capabilities if c.id == "struct")
    assert (works.status is Works.FAILS) is (release < (1, 0, 0)), works
    readers = report.finding("btf.readers")
    assert readers is not None and readers.status is Status.WARN and "libbpf 0.8" in readers.summary


def test_where_the_program_does_not_tell_it_depends() -> None:
    mine = report_on(two().recording()).finding("btf.bpftrace")
    assert mine is not None and mine.status is Status.UNKNOWN and "which libbpf it loads" in mine.summary


@pytest.mark.parametrize(
    ("release", "least"), [("0.19.0", (1, 1, 0)), ("0.24.2", (1, 6, 0)), ("0.14.1", None)]
)
def test_a_static_one_brings_its_own(release: str, least: tuple[int, int, int] | None) -> None:
    described = two().file(PROGRAM, elf(interpreter=""), mode=0o755)
    described.command(f"{PROGRAM} --version", f"bpftrace v{release}\n")
    facts = of(described).tools.own_libbpf
    if least is None:
        with pytest.raises(Unavailable, match="of its own"):
            assert facts.of_bpftrace
    else:
        assert facts.of_bpftrace == Libbpf(f"{PROGRAM}, which brings its own", least, exact=False)


def test_a_library_whose_file_has_no_release_in_its_name() -> None:
    described = two().file(PROGRAM, elf("libbpf.so.1"), mode=0o755).remove("/usr/lib64/libbpf.so.1")
    own = of(described.file("/usr/lib64/libbpf.so.1", LIBRARY)).tools.own_libbpf.of_bpftrace
    assert own == Libbpf("/usr/lib64/libbpf.so.1", (1, 0, 0), exact=False)
    assert own.has((1, 0, 0)) and own.has((1, 1, 0)) is None
    assert Libbpf("", (0, 0, 0), exact=False).has((1, 0, 0)) is False


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("bpftool v7.5.0\nusing libbpf v1.5\n", Status.OK),
        ("bpftool v5.15.0\nfeatures: libbfd, skeletons\n", Status.FAIL),
        ("bpftool v6.8.0\nusing libbpf v0.8\n", Status.FAIL),
        ("bpftool v9\n", Status.UNKNOWN),
    ],
)
def test_bpftool_says_its_own(printed: str, status: Status) -> None:
    """Not that of the machine: a bpftool of 5.15 finds no BTF in 6.12, whatever library lies about."""
    report = report_on(known.complete().command("/usr/sbin/bpftool version", printed).recording())
    mine = report.finding("btf.bpftool")
    assert mine is not None and mine.status is status, mine
    found = {c.id: c for c in report.capabilities}
    expected = {Status.OK: Works.WORKS, Status.FAIL: Works.FAILS, Status.UNKNOWN: Works.UNKNOWN}
    assert found["bpftool-btf"].status is expected[status], found["bpftool-btf"]
    assert found["bpftool"].status is Works.WORKS, found["bpftool"]


# -- bare BTF where libbpf looks besides -------------------------------------------------------------------------------


def without_its_own(version: str, libbpf: str, file: bytes, needed: tuple[str, ...] = ()) -> Description:
    """A kernel without BTF, and BTFHub's file copied to where a vmlinux would be."""
    described = machines.without_btf(machines.linux("5.4.0-26-generic")).program("bpftrace", PROGRAM)
    described.command(f"{PROGRAM} --version", f"bpftrace v{version}\n")
    machines.installed(described, ("bpftrace", f"{version}-1"))
    library(described, HOME, libbpf).file(PROGRAM, elf(*needed or (f"libbpf.so.{libbpf[0]}",)), mode=0o755)
    return described.file("/boot/vmlinux-5.4.0-26-generic", file)


@pytest.mark.parametrize(
    ("version", "libbpf", "file", "mine", "elsewhere"),
    [
        ("0.23.2", "1.5.0", parts.btf(), Status.OK, Status.OK),
        ("0.18.0", "1.0.1", parts.btf(), Status.FAIL, Status.WARN),
        ("0.18.0", "1.0.1", parts.btf_elf(parts.btf()), Status.OK, Status.OK),
        ("0.14.1", "1.5.0", parts.btf(), Status.FAIL, Status.OK),
        ("0.14.1", "0.8.1", parts.btf_elf(parts.btf(enum64=False)), Status.OK, Status.OK),
        ("0.14.1", "0.8.1", parts.btf_elf(parts.btf()), Status.FAIL, Status.OK),
    ],
)
def test_bare_btf_is_for_libbpf_1_1(
    version: str, libbpf: str, file: bytes, mine: Status, elsewhere: Status
) -> None:
    """bpftrace up to 0.16 goes through a list of its own, with ELF images alone, whatever its libbpf."""
    report = report_on(without_its_own(version, libbpf, file).recording())
    found, other = report.finding("btf.bpftrace"), report.finding("btf.fallback")
    assert found is not None and other is not None
    assert (found.status, other.status) == (mine, elsewhere), (found, other)
    if found.status is Status.FAIL and file == parts.btf():
        assert [r.commands for r in found.remedies] == [
            ("export BPFTRACE_BTF=/boot/vmlinux-5.4.0-26-generic",)
        ]
    core = next(c for c in report.capabilities if c.id == "core-tools")
    assert "before 1.1" in core.because or other.status is Status.OK, core


def test_which_libbpf_is_not_known() -> None:
    described = without_its_own("0.18.0", "1.0.1", parts.btf())
    described.remove(f"{HOME}/libbpf.so.1", f"{HOME}/libbpf.so.1.0.1").file(f"{HOME}/libbpf.so.1", LIBRARY)
    found = report_on(described.recording()).finding("btf.bpftrace")
    assert found is not None and found.status is Status.UNKNOWN
