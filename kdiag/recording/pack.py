"""Writing recordings as a directory, `.tar.zst` or `.tar.xz`; and reading them, into memory, as untrusted input.

An archive is never extracted to disk. What is not a plain file with a plain name is refused: a recording holds nothing
else. Sizes are limited before anything is unpacked.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping

from kdiag.parse import compression, tarstream
from kdiag.parse.errors import ParseError
from kdiag.system.recording import Recording
from kdiag.system.recording_files import Directory, Memory, Store
from kdiag.system.recording_index import FILE_LIMIT, BadRecording
from kdiag.trust import here, read
from kdiag.trust import write as room

SUFFIXES = (".tar.zst", ".tar.xz")
#: Compressed; recordings have one or two megabytes.
ARCHIVE_LIMIT = 64 * 1024 * 1024
MEMBER_LIMIT = 20_000
#: In a directory larger files are packed one by one, BTF above all.
PACK_FROM = 64 * 1024


class CannotWrite(ValueError):
    """The recording cannot be written there; the message says why."""


def safe(name: str) -> bool:
    """Whether a file of a recording may have this name: relative, and staying below."""
    return bool(name) and "\0" not in name and not any(part in ("", ".", "..") for part in name.split("/"))


# -- reading ---------------------------------------------------------------------------------------------------------


def opened(path: str) -> Recording:
    """The recording at a path: a directory, its recording.json, an archive, or `-` for an archive on standard input.

    Raises BadRecording.
    """
    return Recording(store(path))


def store(path: str) -> Store:
    """The files of the recording at a path. Raises BadRecording."""
    if os.path.isdir(path):
        return Directory(path)
    if os.path.basename(path) == "recording.json":
        return Directory(os.path.dirname(path) or ".")
    try:
        data = (
            read.at_most(sys.stdin.buffer, ARCHIVE_LIMIT + 1)
            if path == "-"
            else read.user_file(path, ARCHIVE_LIMIT)
        )
    except (OSError, ValueError) as error:
        why = error.strerror or error if isinstance(error, OSError) else "not a path"
        raise BadRecording(f"{path}: {why}") from None
    return archive(data, "standard input" if path == "-" else path)


class _Keeping(tarstream.Tape):
    """A tape that keeps what was last skipped: the body of a member."""

    kept = b""

    def skip(self, size: int) -> None:
        self.kept = self.take(size)


def archive(data: bytes, where: str) -> Memory:
    """The files of a tar, packed or not, by their names below the directory of recording.json. Raises BadRecording."""
    if len(data) > ARCHIVE_LIMIT:
        raise BadRecording(f"{where}: larger than {ARCHIVE_LIMIT} bytes")
    packed = compression.identify(data)
    try:
        files = _members(_Keeping(compression.stream(data, limit=FILE_LIMIT) if packed else [data]), where)
    except compression.Unsupported as error:
        hint = f"; install the Python package {error.package}" if error.package else ""
        raise BadRecording(f"{where}: {error}{hint}") from None
    except ParseError as error:
        what = "not a recording" if not packed and data[257:262] != b"ustar" else "a damaged archive"
        raise BadRecording(f"{where}: {what}: {error}") from None
    tops = [
        name.removesuffix("recording.json") for name in files if name.rpartition("/")[2] == "recording.json"
    ]
    if not tops:
        raise BadRecording(f"{where}: an archive without a recording.json in it")
    top = min(tops, key=lambda name: name.count("/"))
    return Memory({n.removeprefix(top): d for n, d in files.items() if n.startswith(top)}, where)


def _members(tape: _Keeping, where: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for count, member in enumerate(tarstream.members(tape)):
        if count >= MEMBER_LIMIT:
            raise BadRecording(f"{where}: more than {MEMBER_LIMIT} members")
        if member.kind == "dir":
            continue
        if member.kind != "file":
            what = "a link" if member.kind == "link" else "neither a file nor a directory"
            raise BadRecording(
                f"{where}: member {member.name!a:.80} is {what}: a recording has plain files only"
            )
        if not safe(member.name):
            raise BadRecording(f"{where}: member {member.name!a:.80} is named so that it would lie elsewhere")
        if member.name in files:
            raise BadRecording(f"{where}: there are two members {member.name!a:.80}")
        files[member.name] = tape.kept[: member.size] if member.size else b""
    tape.drain()
    return files


# -- writing ---------------------------------------------------------------------------------------------------------


def check_output(path: str) -> None:
    """Raise CannotWrite if a recording cannot be written to `path`; to be asked before the work is done."""
    if path == "-" or path.endswith(SUFFIXES):
        if path != "-" and os.path.isdir(path):
            raise CannotWrite(f"{path} is a directory")
    elif path.endswith((".tar", ".tgz", ".gz", ".zip", ".zst", ".xz", ".json")):
        raise CannotWrite(f"{path}: a recording is a {' or '.join(SUFFIXES)} file, or a directory")
    elif os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise CannotWrite(f"{path} exists; a recording is written into a new or an empty directory")
    parent = os.path.dirname(here.absolute(path)) or os.curdir
    if path != "-" and not os.path.isdir(parent):
        raise CannotWrite(f"there is no directory {parent}")


def packed(files: Mapping[str, bytes], path: str, when: int) -> bytes:
    """The archive that a path asks for by its suffix, `.tar.zst` if by none. when: seconds since 1970."""
    suffix = ".tar.xz" if path.endswith(".tar.xz") else ".tar.zst"
    top = os.path.basename(path).removesuffix(suffix).lstrip("-") or "recording"
    return _packed_tar(files, top, suffix, when)


def write(path: str, files: Mapping[str, bytes], when: int) -> int:
    """Write a recording, an archive whole or not at all; the bytes it takes. Raises CannotWrite."""
    check_output(path)
    try:
        if path.endswith(SUFFIXES):
            data = packed(files, path, when)
            room.file(path, data)
            return len(data)
        # The index comes last: without it, a directory is no recording.
        room.tree(path, {name: files[name] for name in sorted(files, key=lambda n: n == "recording.json")})
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from None
    return sum(map(len, files.values()))


def packable(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that a directory should hold compressed, by their names without `.xz`."""
    packed = {}
    for name, data in files.items():
        if len(data) >= PACK_FROM and name.startswith("root/") and f"{name}.xz" not in files:
            small = _xz(data)
            if len(small) < len(data) * 3 // 4:
                packed[name] = small
    return packed


def _packed_tar(files: Mapping[str, bytes], top: str, suffix: str, when: int) -> bytes:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files, key=lambda n: (n.startswith("root/"), n)):
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mtime, member.mode = len(files[name]), when, 0o644
            tar.addfile(member, io.BytesIO(files[name]))
    if suffix == ".tar.xz":
        return _xz(out.getvalue())
    return _zstd(out.getvalue())


def _xz(data: bytes) -> bytes:
    import lzma

    return lzma.compress(data, preset=3)


def _zstd(data: bytes) -> bytes:
    """Python 3.14's own module where it is, else the package."""
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data, level=12)
    try:
        import zstandard
    except ImportError:
        raise CannotWrite("the Python package zstandard is not installed: write a .tar.xz instead") from None
    return zstandard.ZstdCompressor(level=12).compress(data)
