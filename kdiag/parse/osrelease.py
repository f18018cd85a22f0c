"""os-release: which distribution the user space of a root file system is. It says nothing about the kernel.

Written after os-release(5): shell-like assignments, one per line, quoted with ' or " or not at all, no
expansion, no concatenation. The package `distro` reads the same file; its import costs about 9 ms of
start-up against 0.1 ms here, so it is the oracle of the tests and not a dependency of this module.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.parse.errors import ParseError

#: Real files have less than 2 kB.
_LARGEST = 1024 * 1024

_ASSIGNMENT = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)
_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_SINGLE_QUOTED = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
#: Inside double quotes a backslash takes the meaning from these, before other characters it stays.
_ESCAPE = re.compile(r'\\(["$`\\])')
_ANY_ESCAPE = re.compile(r"\\(.)")


class OsRelease(NamedTuple):
    """The fields that kdiag uses; None: not set (os-release(5) lets readers assume `linux`, not so here)."""

    id: str | None = None
    id_like: tuple[str, ...] = ()
    version_id: str | None = None
    name: str | None = None
    pretty_name: str | None = None
    variant_id: str | None = None
    build_id: str | None = None

    def descends_from(self, distribution: str) -> bool:
        """Whether it is `distribution` or names it in ID_LIKE."""
        return self.id == distribution or distribution in self.id_like


def parse(data: bytes) -> OsRelease:
    """The fields of an os-release file. The last assignment of a name counts, as in a shell.

    Raises ParseError where the content is binary, or has text but no assignment at all, or where one of the
    fields in question is badly quoted (its `offset` is the line number then).
    """
    if len(data) > _LARGEST:
        raise ParseError(f"os-release of {len(data)} bytes is not credible")
    if b"\0" in data:
        raise ParseError("not an os-release file: it has NUL bytes", data.index(b"\0"))
    fields = assignments(data.decode("utf-8", "replace"))

    def field(name: str) -> str | None:
        if name not in fields:
            return None
        number, raw = fields[name]
        return _unquoted(raw, number) or None

    return OsRelease(
        id=field("ID"),
        id_like=tuple((field("ID_LIKE") or "").split()),
        version_id=field("VERSION_ID"),
        name=field("NAME"),
        pretty_name=field("PRETTY_NAME"),
        variant_id=field("VARIANT_ID"),
        build_id=field("BUILD_ID"),
    )


def assignments(text: str) -> dict[str, tuple[int, str]]:
    """Name to (line number from 1, raw value); other lines are skipped."""
    found: dict[str, tuple[int, str]] = {}
    strange = 0
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        match = _ASSIGNMENT.match(line)
        if match is not None:
            found[match[1]] = (number, match[2].rstrip())
        elif line.strip() and not line.lstrip().startswith("#"):
            strange = strange or number
    if strange and not found:
        raise ParseError("not an os-release file: no assignment in it, the first text is in line", strange)
    return found


def _unquoted(raw: str, number: int) -> str:
    if raw.startswith('"'):
        match = _DOUBLE_QUOTED.fullmatch(raw)
        if match is not None:
            return _ESCAPE.sub(r"\1", match[1])
    elif raw.startswith("'"):
        match = _SINGLE_QUOTED.fullmatch(raw)
        if match is not None:
            return match[1]
    else:
        return _ANY_ESCAPE.sub(r"\1", re.sub(r"[ \t]#.*", "", raw)).strip()
    raise ParseError("a value is badly quoted in line", number)
