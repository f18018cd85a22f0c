"""Archives made to do harm, each refused with a clear error and nothing left behind; and mutated ones."""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdiag.fix.errors import FixError
from kdiag.fix.store import trees as store
from kdiag.fix.store import unpack
from kdiag.fix.store.extract import extract
from tests.support.headers_archive import RELEASE, Member, archive, entry, remade, repeated, settle, tar, tree
from tests.support.steps import unpacking

LINK, HARD, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a base to extract to, and a neighbour that must stay as it is."""
    there = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    place = Path(tempfile.mkdtemp(dir=there, prefix="kdiag-test-"))
    (place / "base").mkdir(mode=0o755)
    (place / "neighbour").mkdir()
    (place / "neighbour" / "file").write_text("mine")
    yield place
    settle()
    shutil.rmtree(place)


def refused(place: Path, data: bytes, *, release: str = RELEASE, srcarch: str = "x86") -> str:
    """The message with which extract() refuses; all is as it was."""
    before = remade(place)
    with pytest.raises(FixError) as caught:
        extract(data, place / "base" / "t", release=release, srcarch=srcarch)
    assert remade(place) == before
    assert not Path("/tmp/kdiag-test-evil").exists() and not (place.parent / "kdiag-test-evil").exists()
    return caught.value.message


def with_members(*extra: Member) -> bytes:
    return archive([*tree(), *extra])


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        pytest.param([entry("/tmp/kdiag-test-evil", b"x")], "does not stay inside", id="absolute"),
        pytest.param([entry("//tmp/kdiag-test-evil", b"x")], "does not stay inside", id="two-slashes"),
        pytest.param([entry("../kdiag-test-evil", b"x")], "does not stay inside", id="parent"),
        pytest.param([entry("./../neighbour/file", b"x")], "does not stay inside", id="dot-parent"),
        pytest.param([entry("include/../../evil", b"x")], "does not stay inside", id="parent-inside"),
        pytest.param([entry("include/..", kind=DIR)], "does not stay inside", id="parent-at-end"),
        pytest.param([entry("..", kind=DIR)], "does not stay inside", id="parent-alone"),
        pytest.param([entry("include/./x.h", b"x")], "does not stay inside", id="dot-inside"),
        pytest.param([entry("include//x.h", b"x")], "does not stay inside", id="empty-part"),
        pytest.param([entry(".", b"x")], "does not stay inside", id="the-top-as-a-file"),
        pytest.param([entry("include/a\nb.h", b"x")], "not plain text: 'include/a\\nb.h'", id="newline"),
        pytest.param([entry("include/\x1b[2J.h", b"x")], "not plain text", id="escape"),
        pytest.param([entry("include/\x7f.h", b"x")], "not plain text", id="delete"),
        pytest.param([entry("include/\u202egnp.h", b"x")], "not plain text", id="right-to-left"),
        pytest.param([entry("include/\udcff.h", b"x")], "not plain text", id="not-utf-8"),
        pytest.param([entry("include/" + "a/" * 60 + "x", b"x")], "too long", id="deep"),
        pytest.param([entry("include/" + "a" * 300, b"x")], "too long", id="long"),
        pytest.param(
            [entry("include/l", kind=LINK, target="/etc/passwd")],
            "leads to '/etc/passwd'",
            id="link-absolute",
        ),
        pytest.param([entry("include/l", kind=LINK, target="../../neighbour")], "leads out", id="link-out"),
        pytest.param([entry("l", kind=LINK, target="..")], "leads out", id="link-to-parent"),
        pytest.param(
            [entry("include/l", kind=LINK, target="linux/../../..")], "leads out", id="link-out-in-the-middle"
        ),
        pytest.param([entry("include/l", kind=LINK, target="")], "leads to ''", id="link-to-nothing"),
        pytest.param([entry("include/l", kind=LINK, target="a\nb")], "leads to 'a\\nb'", id="link-newline"),
        pytest.param(
            [entry("include/top", kind=LINK, target=".."), entry("l", kind=LINK, target="include/top/../..")],
            "leads through another link",
            id="link-out-by-words",
        ),
        pytest.param(
            # In words include/top/.. is include; for the kernel it is the directory above the tree.
            [
                entry("include/top", kind=LINK, target=".."),
                entry("l", kind=LINK, target="include/top/../neighbour"),
            ],
            "leads through another link",
            id="link-out-through-a-link",
        ),
        pytest.param(
            [
                entry("l", kind=LINK, target="include/TOP/../neighbour"),
                entry("include/top", kind=LINK, target=".."),
            ],
            "leads through another link",
            id="link-out-through-a-later-link-in-other-case",
        ),
        pytest.param(
            [entry("l", kind=LINK, target="include"), entry("l/x.h", b"x")],
            "lies below l, which is a link",
            id="through-a-link",
        ),
        pytest.param(
            [entry("l", kind=LINK, target="../neighbour"), entry("l/file", b"x")],
            "lies below l",
            id="through-a-link-out",
        ),
        pytest.param(
            [entry("l", kind=LINK, target="include"), entry("l", kind=DIR), entry("l/x.h", b"x")],
            "twice",
            id="link-then-directory",
        ),
        pytest.param(
            [entry("l", kind=LINK, target="x"), entry("l", b"x")],
            "l is in the archive twice",
            id="file-over-link",
        ),
        pytest.param(
            [entry("x", b"x"), entry("x", kind=LINK, target="include")], "twice", id="link-over-file"
        ),
        pytest.param([entry("x", b"x"), entry("x", b"y")], "x is in the archive twice", id="file-twice"),
        pytest.param(
            [entry("x", b"x"), entry("./x", b"y")],
            "x is in the archive twice",
            id="file-twice-spelt-otherwise",
        ),
        pytest.param([entry("include", kind=DIR)], "include is in the archive twice", id="directory-twice"),
        pytest.param([entry("include", b"x")], "include is in the archive twice", id="file-over-directory"),
        pytest.param(
            [entry("x", b"x"), entry("x/y", b"x")], "lies below x, which is a file", id="below-a-file"
        ),
        pytest.param(
            [entry("h", kind=HARD, target="include/linux/types.h")], "h is a hard link", id="hard-link"
        ),
        pytest.param([entry("h", kind=HARD, target="/etc/shadow")], "h is a hard link", id="hard-link-out"),
        pytest.param([entry("n", kind=tarfile.CHRTYPE)], "n is a device", id="character-device"),
        pytest.param([entry("n", kind=tarfile.BLKTYPE)], "n is a device", id="block-device"),
        pytest.param([entry("n", kind=tarfile.FIFOTYPE)], "n is a device, a FIFO", id="fifo"),
        pytest.param([entry("n", kind=b"V")], "n is a device, a FIFO or another", id="volume-label"),
        pytest.param([entry(store.UNSETTLED, b"")], "does not distinguish", id="our-own-mark"),
        pytest.param([entry("n", bytes(17 << 20))], "a file of 17825792 bytes", id="large-file"),
    ],
)
def test_hostile_members(place: Path, extra: list[Member], said: str) -> None:
    """At the end, after all that is sound was written; and, where that is not the same, before it."""
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert said in refused(place, archive([*tree(), *extra], form))
    refused(place, archive([*extra, *tree()]))


def test_setuid_is_not_taken_over(place: Path) -> None:
    """Every member of the test archives has mode 06777 and another owner."""
    made = extract(archive(), place / "base" / "t", release=RELEASE, srcarch="x86")
    assert not any(path.lstat().st_mode & 0o7022 for path in made.rglob("*") if not path.is_symlink())


@pytest.mark.slow
def test_ten_gigabytes_of_zeros_in_a_megabyte(place: Path) -> None:
    bomb = repeated(bytes(64 << 20), 160)
    assert len(bomb) < 2 << 20
    with unpacking() as unpacked:
        assert "it would unpack to 10737418240 bytes" in refused(place, bomb)
    assert unpacked() == 0


@pytest.mark.slow
def test_a_bomb_that_lies_about_its_size(place: Path) -> None:
    """By its index 160 MiB, in truth 10 GiB: decompression stops where the index said it would end."""
    bomb = repeated(bytes(64 << 20), 160, told=1 << 20)
    with unpacking() as unpacked:
        refused(place, bomb)
    assert 0 < unpacked() < 2 * 160 << 20
    head = tar([*tree(), entry("include/zeros.h", b"")])[: -tarfile.RECORDSIZE]
    assert "more than the 4194304 bytes that its index states" in refused(
        place, repeated(head + bytes(16 << 20), 4, told=1 << 20)
    )


def test_a_million_members(place: Path) -> None:
    headers = tar([entry("./x.h")])[:512] * 8192
    assert "it would unpack to" in refused(place, repeated(headers, 123))


@pytest.mark.slow
def test_more_members_than_headers_have(place: Path) -> None:
    """A hundred thousand, within the limit on bytes."""
    top = tar([entry("./", kind=DIR)])[:512]
    pieces = [top]
    for number in range(100_000):
        header = bytearray(top)
        header[:9] = b"%09d" % number
        header[156:157] = tarfile.REGTYPE
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        pieces.append(bytes(header))
    data = lzma.compress(b"".join(pieces) + bytes(1024), preset=0)
    assert "more than 50000 members" in refused(place, data)


def test_directories_that_names_imply_count_as_members(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten files, each below thirty directories that the archive does not list: no more is made than the limit says."""
    monkeypatch.setattr(unpack, "MEMBER_LIMIT", 200)
    made: list[object] = []
    real = os.mkdir

    def mkdir(*args: Any, **words: Any) -> None:
        made.append(args)
        real(*args, **words)

    monkeypatch.setattr(os, "mkdir", mkdir)
    few = [entry(f"deep{n}/" + "d/" * 29 + "x.h", b"x") for n in range(3)]
    extract(with_members(*few), place / "base" / "t", release=RELEASE, srcarch="x86")
    settle()
    shutil.rmtree(place / "base" / "t")
    made.clear()
    many = [entry(f"deep{n}/" + "d/" * 29 + "x.h", b"x") for n in range(100)]
    assert "more than 200 files and directories" in refused(place, with_members(*many))
    assert len(made) <= 201


def test_damaged_and_truncated(place: Path) -> None:
    data = archive()
    for cut in (0, 1, 6, 12, 20, len(data) // 2, len(data) - 12, len(data) - 1):
        assert "the headers archive is not used" in refused(place, data[:cut])
    for junk in (b"", b"x", b"\0" * 4096, b"#!/bin/sh\n", data + b"x", data + data, b"x" + data):
        refused(place, junk)


def test_a_wrong_checksum_is_found_although_it_stands_at_the_end(place: Path) -> None:
    content = bytearray(archive())
    index_size = (int.from_bytes(content[-8:-4], "little") + 1) * 4
    content[-12 - index_size - 1] ^= 1  # the last byte of the block: its CRC64
    assert "damaged" in refused(place, bytes(content))


def test_a_tar_that_ends_early(place: Path) -> None:
    whole = tar(tree())
    for cut in (700, len(whole) // 2):
        assert "ends early" in refused(place, lzma.compress(whole[:cut]))
    assert "not a tar" in refused(place, lzma.compress(b"x" * 4096))
    assert "there is no include" in refused(place, archive([]))


def test_another_architecture_or_release(place: Path) -> None:
    assert "it is for arm64" in refused(place, archive(tree(srcarch="arm64")))
    assert f"it is of 5.10.0-9-amd64, not of {RELEASE}" in refused(place, archive(tree("5.10.0-9-amd64")))
    without = [member for member in tree() if not member[0].name.endswith("utsrelease.h")]
    assert "utsrelease.h" in refused(place, archive(without))


@pytest.mark.parametrize("name", ["linux/kconfig.h", "linux/types.h", "generated/autoconf.h"])
def test_incomplete_headers(place: Path, name: str) -> None:
    without = [member for member in tree() if not member[0].name.endswith(name)]
    assert f"there is no include/{name}" in refused(place, archive(without))
    linked = entry(f"./include/{name}", kind=LINK, target="../linux/empty.h")
    assert f"include/{name} is not a file" in refused(place, archive([*without, linked]))


def test_an_archive_that_a_hostile_module_holds_in_two_streams(place: Path) -> None:
    """What xz(1) joins, and an index check of the last stream alone would not notice."""
    refused(place, lzma.compress(tar(tree())) + lzma.compress(bytes(512)))


_SOUND = archive()
_PLAIN = tar(tree())


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutations(place: Path, packed: bool, changes: list[tuple[float, int]]) -> None:
    """A clear error or a sound tree, inside the base, whatever bytes of the xz stream or of the tar are changed."""
    data = bytearray(_SOUND if packed else _PLAIN)
    for at, value in changes:
        data[int(at * len(data))] = value
    sent = bytes(data) if packed else lzma.compress(bytes(data), preset=0)
    target = place / "base" / "t"
    try:
        extract(sent, target, release=RELEASE, srcarch="x86")
    except FixError as error:
        assert error.message
        assert os.listdir(place / "base") == []
    else:
        settle()
        assert store.validate(target, RELEASE, "x86") == ""
        assert os.listdir(place / "base") == ["t"]
        shutil.rmtree(target)
    assert sorted(os.listdir(place)) == ["base", "neighbour"]
    assert (place / "neighbour" / "file").read_text() == "mine"
