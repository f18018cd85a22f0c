"""Archives: what is written is read back; what a stranger's archive tries harms nobody and is told with its name."""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.recording import pack
from kdiag.recording.pack import CannotWrite
from kdiag.system import Unavailable
from kdiag.system.recording import BadRecording, Recording
from tests.support.needs import need_program

INDEX = json.dumps({"schema": "kdiag.recording/1"}).encode()
LONG = "root/" + "/".join(["directory-with-a-long-name"] * 12) + "/file"
FILES = {
    "recording.json": INDEX,
    "report.json": b"{}\n",
    "root/etc/os-release": b"ID=debian\n",
    "root/sys/kernel/btf/vmlinux": bytes(200_000),
    "root/empty": b"",
    LONG: b"deep",
    "root/proc/näme with blanks": b"x",
}
WHEN = 1_700_000_000


@pytest.mark.parametrize("name", ["m.tar.zst", "m.tar.xz", "m"])
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)
    size = pack.write(path, FILES, WHEN)
    assert size == (os.path.getsize(path) if os.path.isfile(path) else sum(map(len, FILES.values())))
    store = pack.store(path)
    assert {n: store.read(n) for n in FILES if store.size(n) is not None} == FILES
    assert store.size("root/other") is None
    assert pack.opened(path).read("/etc/os-release") == b"ID=debian\n"
    assert not [p for p in tmp_path.iterdir() if p.name != name]


@pytest.mark.parametrize("name", ["m.tar.zst", "m.tar.xz"])
def test_the_same_recording_is_the_same_bytes(name: str, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        (tmp_path / copy).mkdir()
        pack.write(str(tmp_path / copy / name), FILES, WHEN)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", ["m.tar.zst", "m.tar.xz"])
def test_tar_unpacks_it_into_one_directory(name: str, tmp_path: Path) -> None:
    need_program("tar")
    need_program("zstd" if name.endswith("zst") else "xz")
    pack.write(str(tmp_path / name), FILES, WHEN)
    subprocess.run(["tar", "xf", name], cwd=tmp_path, check=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", name]
    assert pack.opened(str(tmp_path / "m")).read("/etc/os-release") == b"ID=debian\n"


def test_a_recording_that_somebody_packed_with_tar(tmp_path: Path) -> None:
    need_program("tar")
    pack.write(str(tmp_path / "mine"), FILES, WHEN)
    for arguments in (
        ["cf", "a.tar", "mine"],
        ["czf", "b.tar.gz", "-C", "mine", "."],
        ["cJf", "c.tar.xz", "./mine"],
    ):
        subprocess.run(["tar", *arguments], cwd=tmp_path, check=True)
        assert pack.opened(str(tmp_path / arguments[1])).read("/" + LONG.removeprefix("root/")) == b"deep"


def test_recording_json_stands_for_its_directory(tmp_path: Path) -> None:
    pack.write(str(tmp_path / "m"), FILES, WHEN)
    assert pack.opened(str(tmp_path / "m" / "recording.json")).read("/empty") == b""


def test_a_new_file_has_the_usual_mode_and_an_old_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.tar.xz"
    path.write_text("old")
    pack.write(str(path), FILES, WHEN)
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert pack.opened(str(path)).read("/empty") == b""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("there", "exists"),
        ("full", "exists"),
        ("nowhere/m.tar.zst", "no directory"),
        ("m.tar.gz", r"\.tar\.zst or \.tar\.xz"),
        ("m.zip", r"\.tar\.zst"),
        ("report.json", r"\.tar\.zst"),
        ("d.tar.xz", "is a directory"),
    ],
)
def test_where_no_recording_can_be_written(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    (tmp_path / "d.tar.xz").mkdir()
    with pytest.raises(CannotWrite, match=why):
        pack.check_output(str(tmp_path / name))
    with pytest.raises(CannotWrite, match=why):
        pack.write(str(tmp_path / name), FILES, WHEN)


def test_a_full_disk_leaves_nothing_behind() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    before = sorted(os.listdir("/dev"))
    with pytest.raises(CannotWrite):
        pack.write("/dev/full/m.tar.xz", FILES, WHEN)
    assert sorted(os.listdir("/dev")) == before


def test_only_what_gets_smaller_is_packed() -> None:
    noise = os.urandom(pack.PACK_FROM + 10)
    packed = pack.packable(
        {
            "root/zeros": bytes(100_000),
            "root/noise": noise,
            "root/small": b"0" * 10,
            "report.json": bytes(100_000),
        }
    )
    assert [*packed] == ["root/zeros"]
    assert lzma.decompress(packed["root/zeros"]) == bytes(100_000)


# -- strangers' archives -----------------------------------------------------------------------------------------------


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, data


GOOD = member("recording.json", INDEX)


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ([GOOD, member("root/x", kind=tarfile.SYMTYPE, target="/etc/passwd")], "root/x' is a link"),
        ([GOOD, member("root/x", kind=tarfile.LNKTYPE, target="recording.json")], "root/x' is a link"),
        ([GOOD, member("root/x", kind=tarfile.CHRTYPE)], "root/x' is neither"),
        ([GOOD, member("root/x", kind=tarfile.FIFOTYPE)], "root/x' is neither"),
        ([GOOD, member("../x", b"x")], "would lie elsewhere"),
        ([GOOD, member("root/../../x", b"x")], "would lie elsewhere"),
        ([GOOD, member("/etc/cron.d/x", b"x")], "would lie elsewhere"),
        ([GOOD, member("root/x", b"1"), member("root/x", b"2")], "two members 'root/x'"),
        ([GOOD, GOOD], "two members"),
        ([member("root/x", b"x")], "without a recording.json"),
        ([member("a/b/recording.json", b"{")], "not JSON"),
        ([], "without a recording.json"),
    ],
)
@pytest.mark.parametrize("squeeze", [bytes, lzma.compress], ids=["tar", "xz"])
def test_tricks_of_tar(
    members: list[tuple[tarfile.TarInfo, bytes]],
    place: str,
    squeeze: Callable[[bytes], bytes],
    tmp_path: Path,
) -> None:
    path = tmp_path / "evil.tar"
    path.write_bytes(squeeze(tar(*members)))
    with pytest.raises(BadRecording, match=place) as bad:
        pack.opened(str(path))
    assert str(path) in str(bad.value)
    assert sorted(tmp_path.iterdir()) == [path]


def _bomb(kind: str, size: int) -> bytes:
    info = tarfile.TarInfo("root/x")
    info.size = size
    head = tar(GOOD)[:-10240].rstrip(b"\0")
    head = head.ljust(-(-len(head) // 512) * 512, b"\0") + info.tobuf()
    if kind == "xz":
        compressor = lzma.LZMACompressor(preset=0)
        return b"".join(
            [
                compressor.compress(head),
                *(compressor.compress(bytes(1 << 20)) for _ in range(size >> 20)),
                compressor.flush(),
            ]
        )
    zstandard = pytest.importorskip("zstandard")
    out = io.BytesIO()
    with zstandard.ZstdCompressor(level=1).stream_writer(out, closefd=False) as writer:
        writer.write(head)
        for _ in range(size >> 20):
            writer.write(bytes(1 << 20))
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xz", "zst"])
def test_a_bomb_is_stopped(kind: str, tmp_path: Path) -> None:
    """300 MiB of zeros in a few kilobytes."""
    path = tmp_path / "bomb.tar"
    path.write_bytes(_bomb(kind, 300 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BadRecording, match="limit of 268435456 bytes"):
        pack.opened(str(path))


def test_a_header_that_promises_terabytes(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    info = tarfile.TarInfo("root/x")
    info.size = 1 << 42
    path.write_bytes(tar(GOOD).rstrip(b"\0").ljust(1024, b"\0") + info.tobuf(tarfile.GNU_FORMAT) + b"short")
    with pytest.raises(BadRecording, match="ends early"):
        pack.opened(str(path))


@pytest.mark.slow
def test_a_million_members(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar.xz"
    header = tarfile.TarInfo("root/x").tobuf()
    path.write_bytes(lzma.compress(tar(GOOD)[:1024] + header * 100_000 + bytes(1024), preset=0))
    with pytest.raises(BadRecording, match="two members"):
        pack.opened(str(path))


@pytest.mark.parametrize(
    "text", [b"", b"x", b"{}", bytes(4096), b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04" + bytes(600)]
)
def test_what_is_no_archive(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.zst"
    path.write_bytes(text)
    with pytest.raises(BadRecording, match=r"x\.tar\.zst"):
        pack.opened(str(path))


@pytest.mark.parametrize("path", ["/nonexistent/x", "", "nul\0byte"])
def test_what_is_not_there(path: str) -> None:
    with pytest.raises(BadRecording):
        pack.opened(path)


@pytest.fixture(scope="module")
def sound() -> Iterator[bytes]:
    yield pack.packed(FILES, "m.tar.xz", WHEN)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_anywhere(sound: bytes, data: st.DataObject) -> None:
    """One byte changed, or the end cut off: a BadRecording, or nothing that matters was hit."""
    unpacked = lzma.decompress(sound) if data.draw(st.booleans()) else sound
    spot = data.draw(st.integers(0, len(unpacked) - 1))
    changed = bytearray(unpacked[:spot] if data.draw(st.booleans()) else unpacked)
    if spot < len(changed):
        changed[spot] ^= data.draw(st.integers(1, 255))
    try:
        system = Recording(pack.archive(bytes(changed), "damaged"))
    except BadRecording as bad:
        assert str(bad).startswith("damaged")
        return
    with contextlib.suppress(Unavailable):
        system.read("/etc/os-release")
