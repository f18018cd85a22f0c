"""BTF of the kernel, of its modules and elsewhere: what is read, and what is never believed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.machine.btf import BtfFacts, Fallback, NoBtf, fallback_paths
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.on_disk import OnDisk, write_machine

RELEASE = "6.12.107"


def facts(described: Description, root: Path) -> BtfFacts:
    return Machine(OnDisk(described, write_machine(described, root))).btf


def elf_with_build_id(build: bytes) -> bytes:
    """An ELF file with a .BTF section and a GNU build-id."""
    note = struct.pack("<III", 4, len(build), 3) + b"GNU\0" + build
    names = b"\0.BTF\0.note.gnu.build-id\0.shstrtab\0"
    return parts._elf([(1, 1, parts.btf(), 0), (6, 7, note, 0), (25, 3, names, 0)], machine=62, kind=2)


def notes(build: bytes) -> bytes:
    return struct.pack("<III", 4, len(build), 3) + b"GNU\0" + build


@pytest.mark.parametrize("path", fallback_paths(RELEASE))
def test_every_place_of_libbpfs_list(path: str, tmp_path: Path) -> None:
    described = machines.without_btf(machines.linux(RELEASE)).file(path, parts.btf_elf(parts.btf()))
    (found,) = facts(described, tmp_path).fallbacks
    assert (found.path, found.problem, found.same_build) == (path, "", None)


@pytest.mark.parametrize("path", fallback_paths(RELEASE))
def test_bare_btf_in_every_place(path: str, tmp_path: Path) -> None:
    described = machines.without_btf(machines.linux(RELEASE)).file(path, parts.btf())
    (found,) = facts(described, tmp_path).fallbacks
    assert (found.path, found.problem, found.same_build, found.bare) == (path, "", None, True)
    assert found.highest == "ENUM64"


@pytest.mark.parametrize(("running", "same"), [(b"\x01" * 20, True), (b"\x02" * 20, False)])
def test_the_build_id_tells_another_build(running: bytes, same: bool, tmp_path: Path) -> None:
    described = machines.without_btf(machines.linux(RELEASE)).file(
        f"/boot/vmlinux-{RELEASE}", elf_with_build_id(b"\x01" * 20)
    )
    described.file("/sys/kernel/notes", notes(running))
    (found,) = facts(described, tmp_path).fallbacks
    assert found.same_build is same
    assert bool(found.problem) is not same


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        b"\x7fELF" + bytes(60),
        bytes(range(256)) * 8,
        parts.btf()[:40],
        parts.btf_elf(b""),
        parts.btf_elf(parts.btf()[:40]),
        parts.btf_elf(parts.circular_btf()),
    ],
    ids=["empty", "magic", "zeros", "noise", "cut bare BTF", "empty section", "cut section", "a circle"],
)
def test_files_that_are_not_what_they_claim(data: bytes, tmp_path: Path) -> None:
    described = machines.without_btf(machines.linux(RELEASE)).file(f"/boot/vmlinux-{RELEASE}", data)
    found = facts(described, tmp_path).fallbacks
    assert all(isinstance(f, Fallback) and f.problem for f in found), found


def test_three_answers(tmp_path: Path) -> None:
    """None served, not to be looked at, broken: three different things."""
    with pytest.raises(NoBtf):
        assert facts(machines.without_btf(machines.linux(RELEASE)), tmp_path / "1").vmlinux
    with pytest.raises(Unavailable) as gap:
        assert facts(machines.linux(RELEASE).remove("/sys").dir("/sys"), tmp_path / "2").vmlinux
    assert not isinstance(gap.value, NoBtf)
    with pytest.raises(BtfError):
        assert facts(
            machines.linux(RELEASE).file("/sys/kernel/btf/vmlinux", b"\x9f\xeb"), tmp_path / "3"
        ).vmlinux


def test_modules(tmp_path: Path) -> None:
    described = machines.linux(RELEASE).file("/sys/kernel/btf/bad", b"garbage")
    found = facts(described, tmp_path).modules
    assert (found.names, found.parsed, [name for name, _ in found.broken]) == (("bad", "xfs"), 1, ["bad"])


def test_a_failure_is_told_once_and_kept(tmp_path: Path) -> None:
    """A broken BTF of 5 MB must not be parsed again for every check that asks."""
    mine = facts(machines.linux(RELEASE).file("/sys/kernel/btf/vmlinux", b"\x9f\xeb\x01"), tmp_path)
    errors = []
    for _ in range(2):
        with pytest.raises(BtfError) as error:
            assert mine.vmlinux
        errors.append(error.value)
    (tmp_path / "sys/kernel/btf/vmlinux").write_bytes(parts.btf())
    with pytest.raises(BtfError):
        assert mine.vmlinux
