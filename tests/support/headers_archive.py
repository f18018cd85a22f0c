"""Small headers archives, sound and hostile, and what runs as somebody else or elsewhere."""

from __future__ import annotations

import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.support.waiting import HANG

RELEASE = "6.12.107-test+"
NOBODY = 65534
LAB = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m" / "kheaders.ko"

Member = tuple[tarfile.TarInfo, bytes]


def files(release: str = RELEASE, srcarch: str = "x86") -> dict[str, bytes]:
    """What a complete tree holds at least."""
    return {
        f"./arch/{srcarch}/include/asm/types.h": b"#include <uapi/asm/types.h>\n",
        f"./arch/{srcarch}/include/generated/uapi/asm/types.h": b"#include <asm-generic/types.h>\n",
        "./include/generated/autoconf.h": b"#define CONFIG_X86 1\n",
        "./include/generated/uapi/linux/version.h": b"#define LINUX_VERSION_CODE 396395\n",
        "./include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n'.encode(),
        "./include/linux/kconfig.h": b"#include <generated/autoconf.h>\n",
        "./include/linux/types.h": b"typedef unsigned int u32;\n" * 40,
        "./include/linux/empty.h": b"",
    }


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Member:
    """A member as written, with rights that nobody should take over."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    info.mode, info.uid, info.gid = 0o6777, NOBODY, NOBODY
    info.devmajor, info.devminor = 1, 3
    return info, content


def tree(release: str = RELEASE, srcarch: str = "x86") -> list[Member]:
    """The members of a sound archive, directories first, sorted as gen_kheaders.sh does."""
    wanted = files(release, srcarch)
    dirs = {str(parent) for name in wanted for parent in Path(name).parents}
    members = [entry("./" if name == "." else f"./{name}", kind=tarfile.DIRTYPE) for name in dirs]
    members += [entry(name, content) for name, content in wanted.items()]
    members.append(
        entry("./include/linux/also.h", kind=tarfile.SYMTYPE, target="../../include/linux/types.h")
    )
    return sorted(members, key=lambda member: member[0].name)


def tar(members: Iterable[Member], form: int = tarfile.GNU_FORMAT) -> bytes:
    """The members as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
        for info, content in members:
            out.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive(members: Iterable[Member] | None = None, form: int = tarfile.GNU_FORMAT) -> bytes:
    """The archive, compressed."""
    return lzma.compress(tar(tree() if members is None else members, form), preset=1)


def repeated(piece: bytes, times: int, *, told: int | None = None) -> bytes:
    """An xz stream of the piece many times over, a block each, made in the time of one (The .xz File Format, 2 to 4).

    told: what its index says that one block unpacks to, if not the truth.
    """
    one = lzma.compress(piece, check=lzma.CHECK_CRC32, preset=1)
    index_size = (int.from_bytes(one[-8:-4], "little") + 1) * 4
    block = one[12 : -12 - index_size]
    index = one[-12 - index_size : -12]
    unpadded, _ = _number(index, 2)
    record = _coded(unpadded) + _coded(len(piece) if told is None else told)
    body = b"\0" + _coded(times) + record * times
    body += bytes(-len(body) % 4)
    body += zlib.crc32(body).to_bytes(4, "little")
    footer = (len(body) // 4 - 1).to_bytes(4, "little") + one[-4:-2]
    return one[:12] + block * times + body + zlib.crc32(footer).to_bytes(4, "little") + footer + one[-2:]


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _coded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def write_tree(place: Path, release: str = RELEASE, srcarch: str = "x86") -> Path:
    """A sound tree on the disk, not made by the code that is tested."""
    for name, content in files(release, srcarch).items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return place


def remade(path: Path) -> dict[str, str | bytes]:
    """Everything below a directory: a file's bytes, `dir`, or `-> target`."""
    found: dict[str, str | bytes] = {}
    for below in sorted(path.rglob("*")):
        name = str(below.relative_to(path))
        if below.is_symlink():
            found[name] = f"-> {os.readlink(below)}"
        else:
            found[name] = "dir" if below.is_dir() else below.read_bytes()
    return found


def settle() -> None:
    """Wait for what extract() brings to the disk behind the caller's back."""
    for thread in threading.enumerate():
        if thread.name == "settle":
            thread.join()


def forked(work: Callable[[], str], uid: int | None = None) -> str:
    """What `work` returns in a child process, as another user if asked; its modules must be loaded already."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "the child broke"
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            text = work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


_ON_TMPFS = """
import json, os, sys
from pathlib import Path
from kdiag.fix.errors import FixError
from kdiag.fix.store.extract import extract
place, archive, release = sys.argv[1:]
try:
    said = ["done", str(extract(Path(archive).read_bytes(), Path(place) / "t", release=release, srcarch="x86"))]
except FixError as error:
    said = ["refused", error.message, error.hint]
print(json.dumps([said, os.listdir(place)]))
"""


def on_tmpfs(options: str, archive_file: Path, mount_point: Path) -> tuple[list[str], list[str]]:
    """extract() on a tmpfs of its own, in a mount namespace of its own: what it said, and what is there afterwards."""
    mount_point.mkdir()
    script = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
    work = [sys.executable, "-c", _ON_TMPFS, str(mount_point), str(archive_file), RELEASE]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", f"mode=755,{options}", str(mount_point), *work],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    if done.returncode and "permission denied" in done.stderr.lower():
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    said, left = json.loads(done.stdout)
    return said, left
