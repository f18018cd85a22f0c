"""The kernel headers archive: small ones built here, the lab kernel's, and hostile ones."""

from __future__ import annotations

import contextlib
import io
import lzma
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.kheaders import Peek, from_module, inspect, peek, quick

LAB = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m" / "kheaders.ko"
needs_lab = pytest.mark.skipif(not LAB.exists(), reason="no lab kernel beside this tree")

RELEASE = b'#define UTS_RELEASE "6.12.107-test+"\n'
VERSION = b"#define LINUX_VERSION_CODE 396395\n#define KERNEL_VERSION(a,b,c) 0\n"
TREE: dict[str, bytes] = {
    "./arch/arm64/include/asm/a.h": b"a",
    "./include/generated/autoconf.h": b"#define CONFIG_A 1\n",
    "./include/generated/uapi/linux/version.h": VERSION,
    "./include/generated/utsrelease.h": RELEASE,
    "./include/linux/kconfig.h": b"k",
    "./include/linux/types.h": b"tt",
}


def archive(files: dict[str, bytes], links: dict[str, str] | None = None, *, pad: int = 0) -> bytes:
    """As gen_kheaders.sh orders it: directories before their files, everything by name; `pad` bytes at the
    end.
    """
    buffer = io.BytesIO()
    entries = {name: ("file", content) for name, content in files.items()}
    entries |= {name: ("link", target.encode()) for name, target in (links or {}).items()}
    for name in [*entries]:
        for parent in Path(name).parents:
            entries.setdefault(f"./{parent}" if str(parent) != "." else ".", ("dir", b""))
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, (kind, content) in sorted(entries.items()):
            info = tarfile.TarInfo(name)
            info.type = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}[kind]
            if kind == "link":
                info.linkname = content.decode()
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return lzma.compress(buffer.getvalue() + bytes(pad))


def module(data: bytes, *, symbols: bool = True) -> bytes:
    """A relocatable x86-64 file with the data in .rodata, as the assembler makes it of kernel/kheaders.c."""
    strings = b"\0kernel_headers_data\0kernel_headers_data_end\0"
    rows = (
        bytes(24)
        + struct.pack("<IBBHQQ", 1, 16, 0, 1, 0, 0)
        + struct.pack("<IBBHQQ", 21, 16, 0, 1, len(data), 0)
    )
    names = b"\0.rodata\0.strtab\0.symtab\0.shstrtab\0"
    body = data + strings + rows + names
    at = [64, 64 + len(data), 64 + len(data) + len(strings), 64 + len(body) - len(names)]

    def header(name: int, kind: int, offset: int, size: int, link: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, link, 0, 1, 0)

    headers = [
        bytes(64),
        header(1, 1, at[0], len(data), 0),
        header(9, 3, at[1], len(strings), 0),
        header(17, 2 if symbols else 1, at[2], len(rows), 2),
        header(25, 3, at[3], len(names), 0),
    ]
    start = struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, 5, 4)
    return b"\x7fELF\2\1\1" + bytes(9) + start + body + b"".join(headers)


ARCHIVE = archive(TREE, {"./include/link.h": "../include/linux/types.h"})


def test_inspect() -> None:
    info = inspect(ARCHIVE)
    assert info.whole
    assert (info.files, info.links, info.others) == (6, 1, 0)
    assert info.dirs == 10
    assert info.members == 17
    assert info.size == sum(map(len, TREE.values()))
    assert info.archs == ("arm64",)
    assert info.release == "6.12.107-test+"
    assert info.version_code == 396395
    assert (info.kconfig_h, info.autoconf_h, info.types_h) == (True, True, True)
    assert info.unsafe == ()


@pytest.mark.parametrize("gone", TREE)
def test_what_is_not_there_is_said(gone: str) -> None:
    info = inspect(archive({name: content for name, content in TREE.items() if name != gone}))
    answers = {
        "./arch/arm64/include/asm/a.h": info.archs == (),
        "./include/generated/autoconf.h": info.autoconf_h is False,
        "./include/generated/uapi/linux/version.h": info.version_code is None,
        "./include/generated/utsrelease.h": info.release is None,
        "./include/linux/kconfig.h": info.kconfig_h is False,
        "./include/linux/types.h": info.types_h is False,
    }
    assert [name for name, missing in answers.items() if missing] == [gone]


def test_a_directory_does_not_pass_for_a_header() -> None:
    assert inspect(archive({"./include/linux/types.h/x.h": b""})).types_h is False


def test_release_headers_with_other_text() -> None:
    info = inspect(archive({**TREE, "./include/generated/utsrelease.h": b"/* nothing */\n"}))
    assert info.release is None
    info = inspect(
        archive({**TREE, "./include/generated/uapi/linux/version.h": b"#define LINUX_VERSION_CODE x\n"})
    )
    assert info.version_code is None


def test_quick_stops_when_it_knows() -> None:
    late = {f"./include/linux/z{number}.h": bytes(100_000) for number in range(30)}
    info = quick(archive({**TREE, **late}))
    assert not info.whole
    assert (info.archs, info.release, info.version_code) == (("arm64",), "6.12.107-test+", 396395)
    assert info.autoconf_h is True
    assert (info.kconfig_h, info.types_h) == (None, None), "not seen is not absent"
    assert info.members < 20


def test_quick_keeps_its_budget() -> None:
    early = {f"./arch/arm64/include/asm/b{number:03}.h": bytes(10_000) for number in range(300)}
    data = archive({**TREE, **early})
    info = quick(data, budget=100_000)
    assert (info.whole, info.archs, info.release, info.autoconf_h) == (False, ("arm64",), None, None)
    assert info.size <= 110_000
    assert quick(data).release == "6.12.107-test+"


def test_quick_of_an_archive_without_release_reads_all_of_it() -> None:
    info = quick(archive({"./arch/x86/include/asm/a.h": b""}))
    assert (info.whole, info.release, info.types_h) == (True, None, False)


def test_quick_does_not_mind_damage_behind() -> None:
    late = {f"./include/linux/z{number:03}.h": bytes([number]) * 100_000 for number in range(50)}
    data = archive({**TREE, **late})
    assert quick(data[:-100]).release == "6.12.107-test+"
    with pytest.raises(ParseError):
        inspect(data[:-100])


def test_peek() -> None:
    assert peek(ARCHIVE) == Peek(len(ARCHIVE), len(lzma.decompress(ARCHIVE)))


def test_peek_at_several_blocks() -> None:
    """An index with two records, as `xz -T2` writes it; Python's lzma writes only one block."""
    head, foot = ARCHIVE[:12], ARCHIVE[-12:]
    index_size = (int.from_bytes(foot[4:8], "little") + 1) * 4
    block = ARCHIVE[12 : -12 - index_size]
    record = ARCHIVE[-12 - index_size + 2 : -12 - 4].rstrip(b"\0")
    import zlib

    index = b"\0\2" + record * 2
    index += bytes(-len(index) % 4)
    index += zlib.crc32(index).to_bytes(4, "little")
    tail = (len(index) // 4 - 1).to_bytes(4, "little") + foot[8:10]
    double = head + block * 2 + index + zlib.crc32(tail).to_bytes(4, "little") + tail + b"YZ"
    assert peek(double).uncompressed == len(lzma.decompress(double)) == 2 * len(lzma.decompress(ARCHIVE))


def test_peek_refuses_what_is_not_whole() -> None:
    cut = [ARCHIVE[:length] for length in (0, 5, 6, 20, 31, len(ARCHIVE) // 2, len(ARCHIVE) - 1)]
    for data in [*cut, ARCHIVE[:50] + ARCHIVE[60:], b"X" + ARCHIVE[1:], ARCHIVE + b"YZ", ARCHIVE * 2]:
        with pytest.raises(ParseError):
            peek(data)


def test_from_module() -> None:
    assert from_module(module(ARCHIVE)) == ARCHIVE
    assert from_module(module(ARCHIVE, symbols=False)) == ARCHIVE


def test_from_an_image_without_symbols() -> None:
    """The magic number alone stands in the kernel's own xz unpacker; other xz data may be firmware."""
    others = b"\xfd7zXZ\0" + bytes(50) + lzma.compress(b"firmware") + b"\xfd7zXZ\0\xfd7zXZ\0\0\4"
    assert from_module(others + ARCHIVE + bytes(300)) == ARCHIVE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        module(b"no archive"),
        module(b"no archive", symbols=False),
        lzma.compress(b"no tar" * 100),
        module(ARCHIVE[:-100], symbols=False),
    ],
)
def test_no_archive_inside(data: bytes) -> None:
    with pytest.raises(ParseError):
        from_module(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xfd7zXZ\0", lzma.compress(b""), lzma.compress(b"x" * 5000), b"PK\3\4", ARCHIVE[:-1]]
)
def test_not_an_archive(data: bytes) -> None:
    with pytest.raises(ParseError):
        inspect(data)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(ParseError, match="limit"):
        inspect(archive({"./a.h": bytes(3_000_000)}), limit=1_000_000)
    with pytest.raises(ParseError, match="limit"):
        inspect(archive(TREE, pad=3_000_000), limit=1_000_000)


def test_names_and_links_that_leave() -> None:
    info = inspect(
        archive(
            {"../up.h": b"", "/etc/passwd": b"", "./a/../../b.h": b"", "./fine..h": b""},
            {
                "./include/out.h": "../../out.h",
                "./include/abs.h": "/etc/shadow",
                "./include/a/in.h": "../../uapi/in.h",
            },
        )
    )
    files_and_links = {one for one in info.unsafe if one.endswith(".h") or "etc/" in one}
    assert files_and_links == {
        "../up.h",
        "/etc/passwd",
        "a/../../b.h",
        "include/abs.h -> /etc/shadow",
        "include/out.h -> ../../out.h",
    }


@pytest.mark.slow
@needs_lab
def test_the_lab_archive() -> None:
    data = from_module(LAB.read_bytes())
    assert peek(data) == Peek(4343284, 34058240)
    info = inspect(data)
    assert (info.whole, info.members, info.files, info.dirs, info.links, info.others) == (
        True,
        7022,
        6674,
        344,
        4,
        0,
    )
    assert (info.archs, info.release, info.version_code) == (("x86",), "6.12.107-kdiaglab", 396395)
    assert (info.kconfig_h, info.autoconf_h, info.types_h, info.unsafe) == (True, True, True, ())
    fast = quick(data)
    assert (fast.archs, fast.release, fast.version_code) == (info.archs, info.release, info.version_code)
    assert fast.members < info.members / 2
    assert quick(data, budget=64 << 10).archs == ("x86",)


@pytest.mark.slow
@needs_lab
def test_the_lab_archive_as_tarfile_sees_it() -> None:
    data = from_module(b"no symbols" + LAB.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as tar:
        members = tar.getmembers()
    info = inspect(data)
    assert info.members == len(members)
    assert info.files == sum(one.isfile() for one in members)
    assert info.size == sum(one.size for one in members if one.isfile())


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=5),
    st.integers(0, 5000),
)
def test_damage_gives_answers_or_parse_errors(hits: list[tuple[int, int]], keep: int) -> None:
    for seed in (ARCHIVE, module(ARCHIVE)):
        data = bytearray(seed)
        for place, value in hits:
            data[place % len(data)] = value
        for blob in (bytes(data), bytes(data[:keep])):
            for ask in (peek, inspect, quick, from_module):
                with contextlib.suppress(ParseError):
                    ask(blob)
