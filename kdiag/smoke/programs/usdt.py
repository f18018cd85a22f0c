"""USDT probes at hand: those of the process that causes events, or of its libraries, which it can set off."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kdiag.parse.errors import ParseError
from kdiag.parse.programs.usdt import probes as parsed
from kdiag.trust import read

_LARGEST = 256 * 1024 * 1024
#: Where such probes can be; to read every mapped library would take a second.
_PLACES = re.compile(r".*/(python\d|libpython|libc[.-]|libpthread[.-])[^/]*")

#: Provider and name of what the causing process's action `usdt` passes: glibc's thread creation (of libpthread
#: before 2.34) and CPython's garbage collection (configured --with-dtrace, as Debian's and Fedora's are).
KNOWN = frozenset({("libc", "pthread_create"), ("libpthread", "pthread_create"), ("python", "gc__start")})


class Probe(NamedTuple):
    """A USDT probe. semaphore: whether it only fires where a tracer has raised its counter."""

    path: str
    provider: str
    name: str
    semaphore: bool


def probes(data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Provider, name and whether there is a semaphore, of each probe of an ELF file. Raises ParseError."""
    for one in parsed(io.BytesIO(data)):
        yield one.provider, one.name, one.semaphore != 0


def find(paths: Iterable[str], *, avoid_semaphores: bool = False) -> Probe | None:
    """The first probe that can be set off; one without a semaphore, if that is required and there is one."""
    found: list[Probe] = []
    for path in filter(_PLACES.fullmatch, paths):
        for provider, name, semaphore in _probes_of(path):
            if (provider, name) in KNOWN:
                found.append(Probe(path, provider, name, semaphore))
                break
    return min(found, key=lambda probe: avoid_semaphores and probe.semaphore, default=None)


def _probes_of(path: str) -> Iterator[tuple[str, str, bool]]:
    try:
        yield from probes(read.user_file(path, _LARGEST))
    except (OSError, ParseError):
        return  # deleted since, or not to be read: then no probe is at hand there
