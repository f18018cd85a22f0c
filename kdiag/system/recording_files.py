"""Where the files of a recording are: a directory, or names and bytes in memory. Nothing outside is ever read."""

from __future__ import annotations

import io
import os
import stat as stat_bits
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kdiag.system.base import Unavailable
from kdiag.system.recording_index import FILE_LIMIT, BadRecording
from kdiag.trust import read


class Store(Protocol):
    """Files by names such as `recording.json` and `root/etc/os-release`."""

    @property
    def where(self) -> str:
        """What to call it in messages."""

    def size(self, name: str) -> int | None:
        """Bytes of a regular file, None if there is none of this name."""

    def read(self, name: str) -> bytes:
        """All of a file that `size` knows. Raises BadRecording if it is larger than any recording's."""


class Directory:
    """A recording's directory. Links are never followed out of it, and only regular files are opened."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    @property
    def where(self) -> str:
        return str(self._path)

    def size(self, name: str) -> int | None:
        if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
            return None
        if os.sep != "/" and (os.sep in name or ":" in name):
            return None  # would mean something else on Windows
        path = self._path / name
        try:
            info = path.lstat()
            # A recording is untrusted: no link in it, not even its own `root`, may lead out of it.
            inside = path.resolve().is_relative_to(self._path.resolve())
        except (OSError, ValueError, RuntimeError):
            return None
        return info.st_size if inside and stat_bits.S_ISREG(info.st_mode) else None

    def read(self, name: str) -> bytes:
        try:
            return read.below(str(self._path), name, FILE_LIMIT)
        except OSError as error:
            raise BadRecording(f"{self._path / name}: {error.strerror or error}") from None


class Memory:
    """Files that were read from an archive, or are about to be written to one."""

    def __init__(self, files: Mapping[str, bytes], where: str) -> None:
        self._files = files
        self._where = where

    @property
    def where(self) -> str:
        return self._where

    def size(self, name: str) -> int | None:
        data = self._files.get(name)
        return None if data is None else len(data)

    def read(self, name: str) -> bytes:
        return self._files[name]


class Noted(io.RawIOBase):
    """A file whose every reading is noted, so that a recording can hold those ranges and no more."""

    def __init__(self, inner: io.BufferedIOBase, notes: dict[int, bytes]) -> None:
        super().__init__()
        self._inner = inner
        self._notes = notes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        at = self._inner.tell()
        data = self._inner.read(len(buffer))
        if len(data) > len(self._notes.get(at, b"")):
            self._notes[at] = data
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class Partial(io.RawIOBase):
    """A large file of which a recording holds some ranges, (offset, bytes) each; reading elsewhere is Unavailable."""

    def __init__(self, path: str, size: int, ranges: Sequence[tuple[int, bytes]]) -> None:
        super().__init__()
        self._path = path
        self._size = size
        self._ranges = ranges
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a position before the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = max(0, min(len(buffer), self._size - self._at))
        if wanted == 0:
            return 0
        for offset, data in self._ranges:
            if offset <= self._at and self._at + wanted <= offset + len(data):
                start = self._at - offset
                buffer[:wanted] = data[start : start + wanted]
                self._at += wanted
                return wanted
        raise Unavailable(f"{self._path}: bytes {self._at} to {self._at + wanted} were not recorded")


def merged(notes: Mapping[int, bytes]) -> tuple[tuple[tuple[int, int], ...], bytes]:
    """The noted readings of a file as ascending ranges that do not touch, (offset, length) each, and their bytes."""
    ranges: list[tuple[int, int]] = []
    stored = bytearray()
    for at, data in sorted(notes.items()):
        end = sum(ranges[-1]) if ranges else -1
        if ranges and at <= end:
            more = data[end - at :] if end - at < len(data) else b""
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + len(more))
            stored += more
        elif data:
            ranges.append((at, len(data)))
            stored += data
    return tuple(ranges), bytes(stored)
