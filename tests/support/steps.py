"""How much work something is, counted and not timed: the same number on every machine.

`calls` counts Python's calls, `Scanned` the bytes that are looked at, `tests.support.patterns` the steps of regular
expressions. Tests compare the work for n with the work for 2n, or with the price that one line or file has.
"""

from __future__ import annotations

import contextlib
import lzma
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest


def linear(work: Callable[[int], int], size: int) -> None:
    """The work for twice the size is about twice the work."""
    once, twice = work(size), work(2 * size)
    assert once > 0, "nothing was counted"
    assert twice <= 2.5 * once + 100, f"{once} steps for {size}, {twice} for {2 * size}"


def calls(work: Callable[[], object]) -> int:
    """How many functions, Python's and C's, `work` calls in this thread."""
    number = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return number


def bytes_read() -> int:
    """How many bytes this process, and those it started and waited for, have read until now (proc(5), `io`)."""
    return int(Path("/proc/self/io").read_text().split()[1])


@contextlib.contextmanager
def unpacking() -> Iterator[Callable[[], int]]:
    """How many bytes xz decompressors make meanwhile."""
    made = 0
    real = lzma.LZMADecompressor

    class Counting:
        def __init__(self, *words: Any, **more: Any) -> None:
            self._inner = real(*words, **more)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def decompress(self, data: bytes, max_length: int = -1) -> bytes:
            nonlocal made
            piece = self._inner.decompress(data, max_length)
            made += len(piece)
            return piece

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lzma, "LZMADecompressor", Counting)
        yield lambda: made


class Scanned(bytes):
    """Bytes that count how many of them are copied or searched through by their own methods."""

    scanned = 0

    def __getitem__(self, key: Any) -> Any:
        found = bytes.__getitem__(self, key)
        self.scanned += len(found) if isinstance(found, bytes) else 1
        return found

    def find(self, sub: Any, *within: Any) -> int:
        return self._to(bytes.find(self, sub, *within), *within)

    def rfind(self, sub: Any, *within: Any) -> int:
        start, end, _ = slice(*(within or (None,)), *(None,) * (len(within) < 2)).indices(len(self))
        at = bytes.rfind(self, sub, *within)
        self.scanned += end - max(at, start)
        return at

    def _to(self, at: int, *within: Any) -> int:
        start, end, _ = slice(*(within or (None,)), *(None,) * (len(within) < 2)).indices(len(self))
        self.scanned += (end if at < 0 else at) - start
        return at

    def _all(name: str) -> Any:  # type: ignore[misc]
        method = getattr(bytes, name)

        def scan(self: Scanned, *arguments: Any) -> Any:
            self.scanned += len(self)
            return method(self, *arguments)

        return scan

    strip, lstrip, rstrip = _all("strip"), _all("lstrip"), _all("rstrip")
    split, splitlines, partition = _all("split"), _all("splitlines"), _all("partition")
    count, decode, replace = _all("count"), _all("decode"), _all("replace")
    del _all
