"""ELF files: real ones of this machine and of the lab kernel, small ones built here, and hostile ones."""

from __future__ import annotations

import contextlib
import io
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.elf import (
    Note,
    build_id,
    build_id_from_notes,
    machine,
    modinfo,
    notes,
    section,
    symbol_bytes,
)
from kdiag.parse.elf_names import Names, names
from kdiag.parse.errors import ParseError
from tests.support.kernel_parts import program
from tests.support.needs import need, need_program
from tests.support.steps import Scanned, calls, linear

LAB = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m" / "kheaders.ko"
NOTES = Path("/sys/kernel/notes")
Order = Literal["little", "big"]
SYMTAB, STRTAB, PROGBITS, NOBITS, NOTE = 2, 3, 1, 8, 7


def elf(  # a builder of small files
    sections: list[tuple[str, int, bytes]],
    symbols: list[tuple[str, int, int]] = [],  # noqa: B006
    *,
    bits: int = 64,
    order: Order = "little",
    kind: int = 1,
    number: int = 62,
    address: int = 0,
    flags: int = 0,
) -> bytes:
    """`sections` are name, type, content, from index 1 on; `symbols` are name, section index, value."""
    sign = "<" if order == "little" else ">"
    strings = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in symbols)
    rows = bytes(24 if bits == 64 else 16)
    at = 1
    for name, index, value in symbols:
        rows += (
            struct.pack(sign + "IBBHQQ", at, 16, 0, index, value, 0)
            if bits == 64
            else struct.pack(sign + "IIIBBH", at, value, 0, 16, 0, index)
        )
        at += len(name) + 1
    parts = [*sections, (".strtab", STRTAB, strings), (".symtab", SYMTAB, rows)]
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in parts) + b".shstrtab\0"
    parts.append((".shstrtab", STRTAB, names))
    head = 64 if bits == 64 else 52
    body, headers, at = b"", bytes(64 if bits == 64 else 40), 1
    for name, type_, content in parts:
        link = len(sections) + 1 if type_ == SYMTAB else 0
        fields = (at, type_, flags, address, head + len(body), len(content), link, 0, 1, 0)
        headers += struct.pack(sign + ("IIQQQQIIQQ" if bits == 64 else "10I"), *fields)
        if type_ != NOBITS:
            body += content
        at += len(name) + 1
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "little" else 2, 1]) + bytes(9)
    size = 64 if bits == 64 else 40
    return (
        ident
        + struct.pack(sign + ("HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"), kind, number, 1, 0, 0,
                      head + len(body), 0, head, 0, 0, size, len(parts) + 1, len(parts))
        + body
        + headers
    )  # fmt: skip


def note(name: bytes, type_: int, desc: bytes, order: Order = "little") -> bytes:
    head = struct.pack(("<" if order == "little" else ">") + "III", len(name), len(desc), type_)
    return head + name + bytes(-len(name) % 4) + desc + bytes(-len(desc) % 4)


forms = pytest.mark.parametrize(("bits", "order"), [(64, "little"), (64, "big"), (32, "little"), (32, "big")])


@pytest.mark.parametrize(
    ("bits", "order", "number", "name"),
    [
        (64, "little", 62, "x86_64"),
        (64, "little", 183, "aarch64"),
        (64, "little", 243, "riscv64"),
        (32, "little", 243, "riscv32"),
        (64, "little", 21, "ppc64le"),
        (64, "big", 21, "ppc64"),
        (64, "big", 22, "s390x"),
        (32, "little", 40, "arm"),
        (32, "little", 3, "i386"),
        (64, "little", 258, "loongarch64"),
        (64, "little", 4242, "em_4242"),
    ],
)
def test_machine(bits: int, order: Order, number: int, name: str) -> None:
    ident = machine(elf([], bits=bits, order=order, number=number)[:20])
    assert (ident.bits, ident.byteorder, ident.machine, ident.kind) == (bits, order, name, "relocatable")


def test_the_machine_of_this_python() -> None:
    with open(sys.executable, "rb") as file:
        ident = machine(file.read(20))
    assert ident.byteorder == sys.byteorder
    assert ident.bits == (64 if sys.maxsize > 2**32 else 32)
    if platform.machine() in ("x86_64", "aarch64") and ident.bits == 64:
        assert ident.machine == platform.machine()


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"MZ\0\0", 0),
        (b"\x7fELF", 4),
        (b"\x7fELF\x03\x01" + bytes(14), 4),
        (b"\x7fELF\x02\x07" + bytes(14), 5),
    ],
)
def test_not_elf(data: bytes, offset: int) -> None:
    with pytest.raises(ParseError) as error:
        machine(data)
    assert error.value.offset == offset
    with pytest.raises(ParseError):
        section(data, ".text")


@forms
def test_sections(bits: int, order: Order) -> None:
    data = elf(
        [(".text", PROGBITS, b"code"), (".bss", NOBITS, b"12345"), (".text", PROGBITS, b"other")],
        bits=bits,
        order=order,
    )
    assert section(data, ".text") == b"code"
    assert section(data, ".bss") == b""
    assert section(data, ".BTF") is None


@forms
def test_symbols_of_a_module_count_from_their_section(bits: int, order: Order) -> None:
    data = elf(
        [(".text", PROGBITS, b"code"), (".rodata", PROGBITS, b"..archive..")],
        # The last name ends like the first one: it must not be taken for it.
        [("xbegin", 1, 0), ("begin", 2, 2), ("end", 2, 9), ("undefined", 0, 0), ("far", 2, 99)],
        bits=bits,
        order=order,
        address=0x1000,
    )
    assert symbol_bytes(data, "begin", "end") == b"archive"
    assert symbol_bytes(data, "begin", "nowhere") is None
    assert symbol_bytes(data, "undefined", "end") is None
    for first, last in (("begin", "far"), ("end", "begin"), ("xbegin", "end")):
        with pytest.raises(ParseError):
            symbol_bytes(data, first, last)


def test_symbols_of_an_executable_are_addresses() -> None:
    data = elf(
        [(".rodata", PROGBITS, b"..archive..")],
        [("begin", 1, 0x1002), ("end", 1, 0x1009)],
        kind=2,
        address=0x1000,
    )
    assert symbol_bytes(data, "begin", "end") == b"archive"


def test_symbols_in_shared_string_ends() -> None:
    """Linkers store `begin` as the end of `xbegin`; the symbol then points into the middle of a string."""
    data = elf([(".rodata", PROGBITS, b"abcdef")], [("xbegin", 1, 1), ("xend", 1, 3)])
    assert symbol_bytes(data, "begin", "end") is None
    table = data.index(b"\0xbegin\0xend\0")
    rows = data.index(struct.pack("<IBBHQQ", 1, 16, 0, 1, 1, 0))
    shifted = bytearray(data)
    shifted[rows : rows + 4] = struct.pack("<I", 2)
    shifted[rows + 24 : rows + 28] = struct.pack("<I", 9)
    assert data[table + 9 : table + 12] == b"end"
    assert symbol_bytes(bytes(shifted), "begin", "end") == b"bc"


@forms
def test_build_id_and_notes(bits: int, order: Order) -> None:
    blob = note(b"Linux\0", 0x100, b"6.12.0-1\0", order) + note(b"GNU\0", 3, bytes(range(20)), order)
    data = elf([(".note.Linux", NOTE, b""), (".notes", NOTE, blob)], bits=bits, order=order)
    assert build_id(data) == bytes(range(20)).hex()
    assert notes(blob) == [Note("Linux", 0x100, b"6.12.0-1\0"), Note("GNU", 3, bytes(range(20)))]
    assert build_id_from_notes(blob) == bytes(range(20)).hex()


def test_no_build_id() -> None:
    assert build_id(elf([(".text", PROGBITS, b"")])) is None
    assert build_id_from_notes(note(b"GNU\0", 1, b"abcd")) is None
    assert build_id_from_notes(note(b"Xen\0", 3, b"abcd")) is None
    assert notes(b"") == []


def test_padding_after_notes() -> None:
    assert len(notes(note(b"GNU\0", 3, b"abcd") + bytes(40))) == 1


def test_notes_that_reach_too_far() -> None:
    good = note(b"GNU\0", 3, b"abcd")
    for bad in (good[:10], good[:-1], struct.pack("<III", 4, 0xFFFFFFF0, 3) + b"GNU\0", b"\xff" * 12):
        with pytest.raises(ParseError):
            notes(bad)


def test_zeros_before_the_last_note_take_linear_time() -> None:
    def steps(number: int) -> int:
        data = Scanned(bytes(12 * number) + note(b"GNU\0", 3, b"abcd"))

        def work() -> None:
            assert len(notes(data)) == number + 1

        return calls(work) + data.scanned

    linear(steps, 1_000)


def test_modinfo() -> None:
    content = b"license=GPL v2\0depends=\0alias=a\0\0alias=b\0name=kheaders\0vermagic=6.1.0 SMP =\0rubbish"
    fields = modinfo(elf([(".modinfo", PROGBITS, content)]))
    assert fields == {
        "license": ("GPL v2",),
        "depends": ("",),
        "alias": ("a", "b"),
        "name": ("kheaders",),
        "vermagic": ("6.1.0 SMP =",),
    }
    assert modinfo(elf([])) is None


def test_compressed_sections_are_refused() -> None:
    with pytest.raises(ParseError, match="compressed"):
        section(elf([(".text", PROGBITS, b"code")], flags=0x800), ".text")


def test_a_file_without_section_headers() -> None:
    bare = bytearray(elf([]))
    bare[40:48] = bytes(8)
    assert section(bytes(bare), ".text") is None
    assert build_id(bytes(bare)) is None


def test_absurd_counts_of_sections() -> None:
    for count, first_size in ((60_000, 0), (0, 2**40), (0, 2**64 - 1)):
        data = bytearray(elf([(".text", PROGBITS, b"code")]))
        start = int.from_bytes(data[40:48], "little")
        data[60:62] = count.to_bytes(2, "little")
        data[start + 32 : start + 40] = first_size.to_bytes(8, "little")
        with pytest.raises(ParseError, match="do not fit"):
            section(bytes(data), ".text")


def test_a_section_count_beyond_16_bits_is_read_from_the_first_header() -> None:
    data = bytearray(elf([(".text", PROGBITS, b"code")]))
    start = int.from_bytes(data[40:48], "little")
    data[start + 32 : start + 40] = data[60:62] + bytes(6)
    data[60:62] = bytes(2)
    data[start + 40 : start + 44] = data[62:64] + bytes(2)
    data[62:64] = b"\xff\xff"
    assert section(bytes(data), ".text") == b"code"


@pytest.mark.skipif(not NOTES.exists(), reason="no /sys/kernel/notes")
def test_notes_of_the_running_kernel() -> None:
    blob = NOTES.read_bytes()
    found = notes(blob)
    assert found == notes(blob, sys.byteorder)
    assert any(one.name == "Linux" for one in found)
    if identity := build_id_from_notes(blob):
        assert len(identity) == 40


@pytest.mark.skipif(not LAB.exists(), reason="no lab kernel beside this tree")
def test_a_real_module() -> None:
    data = LAB.read_bytes()
    fields = modinfo(data)
    assert fields is not None
    assert fields["name"] == ("kheaders",)
    assert fields["vermagic"][0].split()[0] == "6.12.107-kdiaglab"
    assert build_id(data) == "d72a469198a988bebb5d94d5f6947803401c2a19"
    assert section(data, ".BTF") is not None
    archive = symbol_bytes(data, "kernel_headers_data", "kernel_headers_data_end")
    assert archive is not None
    assert (len(archive), archive[:4], archive[-2:]) == (4343284, b"\xfd7zX", b"YZ")


SEED = elf(
    [
        (".note", NOTE, note(b"GNU\0", 3, b"abcd")),
        (".rodata", PROGBITS, b"..archive.."),
        (".modinfo", PROGBITS, b"a=b"),
    ],
    [("begin", 2, 2), ("end", 2, 9)],
)


def _everything(data: bytes) -> None:
    for ask in (
        lambda: section(data, ".rodata"),
        lambda: build_id(data),
        lambda: modinfo(data),
        lambda: symbol_bytes(data, "begin", "end"),
    ):
        with contextlib.suppress(ParseError):
            ask()


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SEED) - 1), st.sampled_from([0, 1, 2, 8, 127, 128, 255])), max_size=8
    ),
    st.integers(0, len(SEED)),
)
def test_damage_gives_parse_errors_only(hits: list[tuple[int, int]], keep: int) -> None:
    data = bytearray(SEED)
    for place, value in hits:
        data[place] = value
    _everything(bytes(data))
    _everything(bytes(data[:keep]))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_junk_notes_give_parse_errors_only(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        found = notes(data)
        assert sum(len(one.desc) for one in found) <= len(data)


# -- names of functions, from the open file ---------------------------------------------------------------------------


def test_names_of_a_real_program(tmp_path: Path) -> None:
    """As readelf sees them, before and after strip(1)."""
    readelf, strip = need_program("readelf"), need_program("strip")
    path = Path(sys.executable).resolve()
    said = subprocess.run((readelf, "-sW", path), capture_output=True, text=True, check=True).stdout
    there = [
        w[7] for line in said.splitlines() if len(w := line.split()) == 8 and w[3] == "FUNC" and w[6] != "UND"
    ]
    need(there, "functions in Python's own program")
    with path.open("rb") as file:
        found = names(file, {there[0], there[-1], "no_such_function"})
    assert found.found == {there[0], there[-1]}
    bare = shutil.copy(path, tmp_path)
    subprocess.run((strip, bare), check=True)
    with Path(bare).open("rb") as file:
        again = names(file, {"no_such_function"})
    assert again == Names(frozenset(), True, found.build_id)
    if found.build_id is not None:
        assert found.build_id == build_id(path.read_bytes())


def test_a_name_that_lies_across_two_readings() -> None:
    """The strings are read in pieces of 64 KiB; one of them may end as a wanted name does."""
    for before in (*range(65536 - 20, 65536 + 4, 3), 65536):
        filler = "x" * (before - 2)
        data = program(filler, "BEGIN_trigger", "not_END_trigger")
        assert names(io.BytesIO(data), {"BEGIN_trigger", "END_trigger"}).found == {"BEGIN_trigger"}


@given(st.binary(max_size=300), st.integers(0, 500), st.binary(max_size=8))
def test_hostile_programs(tail: bytes, at: int, patch: bytes) -> None:
    data = bytearray(program("main", build_id=b"1234") + tail)
    data[at : at + len(patch)] = patch
    with contextlib.suppress(ParseError):
        names(io.BytesIO(bytes(data)), {"main"})
