"""Tars read in one pass, with the standard library's tarfile as the oracle."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.tarstream import Member, Tape, members

TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
Entry = tuple[str, str, bytes]  # name, type, content or target


def tar(entries: list[Entry], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as file:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type = TYPES[kind]
            if kind == "file":
                info.size = len(content)
            elif kind.endswith("link"):
                info.linkname = content.decode()
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20, wanted: tuple[str, ...] = ()) -> list[Member]:
    return list(members(Tape(pieces(data, size)), wanted))


SAMPLE: list[Entry] = [
    ("./arch", "dir", b""),
    ("./arch/x86/a.h", "file", b"content of a"),
    ("./empty.h", "file", b""),
    ("./include/link.h", "symlink", b"../arch/x86/a.h"),
    ("./include/hard.h", "hardlink", b"arch/x86/a.h"),
    ("./pipe", "fifo", b""),
    ("d" * 90 + "/" + "f" * 90 + "/" + "g" * 200, "file", b"x" * 700),
    ("long-link", "symlink", b"t" * 300),
    ("\u00e9t\u00e9.h", "file", b"y" * 512),
]
each_form = pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


@each_form
@pytest.mark.parametrize("size", [1, 100, 512, 1000, 1 << 20])
def test_all_kinds_in_all_pieces(form: int, size: int) -> None:
    found = read(tar(SAMPLE, form), size, ("arch/x86/a.h", "empty.h", "nowhere"))
    assert [one.name for one in found] == [name.removeprefix("./") for name, _, _ in SAMPLE]
    assert [one.kind for one in found] == [
        "dir",
        "file",
        "file",
        "link",
        "link",
        "other",
        "file",
        "link",
        "file",
    ]
    assert [one.size for one in found] == [0, 12, 0, 0, 0, 0, 700, 0, 512]
    assert [one.text for one in found[:3]] == [None, b"content of a", b""]
    assert (found[3].target, found[3].hard) == ("../arch/x86/a.h", False)
    assert (found[4].target, found[4].hard) == ("arch/x86/a.h", True)
    assert found[7].target == "t" * 300


def test_the_prefix_field_of_ustar() -> None:
    name = "p" * 100 + "/" + "n" * 90
    assert read(tar([(name, "file", b"")], tarfile.USTAR_FORMAT))[0].name == name


def test_the_top_directory_and_the_root() -> None:
    assert [one.name for one in read(tar([("./", "dir", b""), ("/", "dir", b"")]))] == [".", "/"]


def test_a_large_file_is_passed_over_and_not_read() -> None:
    found = read(tar([("big", "file", bytes(100_000)), ("after", "file", b"x")]), wanted=("big",))
    assert found[0].text is None
    assert found[1].name == "after"


def test_binary_sizes() -> None:
    data = bytearray(tar([("a", "file", b"12345")]))
    data[124:136] = b"\x80" + (5).to_bytes(11, "big")
    assert read(_sealed(data))[0].size == 5
    data[124:136] = b"\xff" * 12
    with pytest.raises(ParseError, match="negative"):
        read(_sealed(data))


def _sealed(data: bytearray) -> bytes:
    """With the right checksum in the first header."""
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def test_the_end_mark_is_required() -> None:
    data = tar([("a", "file", b"12345")])
    for cut in (0, 100, 511, 512, 600, 1024):
        with pytest.raises(ParseError, match="ends early"):
            read(data[:cut])
    assert len(read(data[:1536])) == 1


def test_what_is_no_tar() -> None:
    for data in (b"x" * 2000, b"\x7fELF" + bytes(2000)):
        with pytest.raises(ParseError, match="ustar"):
            read(data)


@pytest.mark.parametrize(
    ("where", "what", "why"),
    [
        (0, b"b", "checksum"),
        (124, b"-0000000005\0", "negative"),
        (124, b"zzzzzzzzzzz\0", "octal"),
        (124, b"77777777777\0", "ends early"),
        (148, b"zzzzzzzz", "octal"),
        (156, b"S", "sparse"),
        (156, b"L", "ends early"),
    ],
)
def test_hostile_headers(where: int, what: bytes, why: str) -> None:
    data = bytearray(tar([("a", "file", b"12345")]))
    data[where : where + len(what)] = what
    if why not in ("checksum",) and where != 148:
        data = bytearray(_sealed(data))
    if what == b"L":
        data[124:136] = b"00000010000\0"
        data = bytearray(_sealed(data)[:1000])
    with pytest.raises(ParseError, match=why):
        read(bytes(data))


def test_names_are_limited() -> None:
    with pytest.raises(ParseError, match="name"):
        read(tar([("n" * 9000, "file", b"")]))
    with pytest.raises(ParseError, match="header of"):
        read(tar([("n" * 100_000, "file", b"")]))


@pytest.mark.parametrize(
    "record",
    [
        b"9999 path=x\n",
        b"0 path=x\n",
        b"path=x\n",
        b"-5 a=b\n",
        b"12 size=-50\n",
        b"3 \n\n",
        b"99999999999999 a=b\n",
    ],
)
def test_hostile_pax_records(record: bytes) -> None:
    data = bytearray(tar([("a", "file", record), ("b", "file", b"content")]))
    data[156:157] = b"x"
    with pytest.raises(ParseError, match="pax"):
        read(_sealed(data))


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/\n"), min_size=1, max_size=150).filter(
    lambda name: name not in (".", "..")
)
ENTRIES = st.lists(
    st.one_of(
        st.tuples(NAMES, st.sampled_from(["file", "dir", "fifo"]), st.binary(max_size=1500)),
        st.tuples(NAMES, st.sampled_from(["symlink", "hardlink"]), NAMES.map(str.encode)),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(ENTRIES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.integers(1, 3000))
def test_as_tarfile_sees_it(entries: list[Entry], form: int, size: int) -> None:
    data = tar(entries, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        expected = [(one.name, one.size, one.linkname if one.islnk() or one.issym() else "") for one in file]
    assert [(one.name, one.size, one.target) for one in read(data, size)] == expected


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=6),
    st.booleans(),
    st.integers(0, 12_000),
)
def test_damage_gives_parse_errors_only(hits: list[tuple[int, int]], seal: bool, keep: int) -> None:
    data = bytearray(tar(SAMPLE, tarfile.PAX_FORMAT))
    for place, value in hits:
        data[place % len(data)] = value
    blob = _sealed(data) if seal else bytes(data)
    for cut in (blob, blob[:keep]):
        with contextlib.suppress(ParseError):
            assert len(read(cut)) <= len(SAMPLE) + 1
