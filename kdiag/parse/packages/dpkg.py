"""dpkg: var/lib/dpkg/status, and the files in var/lib/dpkg/status.d/ that distroless images have instead.

Format: deb-control(5), dpkg(1) for the states. The file has megabytes: only stanzas that are wanted are
taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted

#: A literal start, not ^: that makes the search six times as fast.
_NAME = re.compile(rb"\nPackage:[ \t]*([^\s]*)")
_FIRST_NAME = re.compile(rb"Package:[ \t]*([^\s]*)")

#: The first of alternatives, without its architecture and version.
_DEPENDENCY = re.compile(r"(?:^|,)\s*([^\s,:|(]+)")

_STATES = frozenset(
    {
        "not-installed",
        "config-files",
        "half-installed",
        "unpacked",
        "half-configured",
        "triggers-awaited",
        "triggers-pending",
        "installed",
    }
)


def installed(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages that are fully installed; see `packages`."""
    return tuple(package for package in packages(data, wanted) if package.installed)


def packages(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages of a status file in whatever state, also those of which only configuration is left.

    A stanza without Status, as in status.d, is an installed package. Raises ParseError (offset in bytes)
    where the data are not such a file or a wanted stanza lacks what it must have.
    """
    found: list[Package] = []
    empty = True
    done = 0
    for offset, name in _names(data):
        empty = False
        if offset >= done and wanted(name):  # a stanza has one name; a second one before its end adds nothing
            begin, done = _stanza(data, offset, done)
            found.append(_package(data[begin:done], offset))
    if empty and data.strip():
        raise ParseError("not a dpkg status file: no stanza with a package name", 0)
    return tuple(found)


def _names(data: bytes) -> Iterator[tuple[int, str]]:
    """(offset of the Package field, its value) of every stanza."""
    if first := _FIRST_NAME.match(data):
        yield 0, first[1].decode("utf-8", "replace")
    for match in _NAME.finditer(data):
        yield match.start() + 1, match[1].decode("utf-8", "replace")


def _stanza(data: bytes, offset: int, done: int) -> tuple[int, int]:
    """Begin and end of the stanza around an offset; nothing before `done`, so that no byte is looked at often."""
    # dpkg writes Package first, other tools need not
    blank = data.rfind(b"\n\n", done, offset)
    end = data.find(b"\n\n", offset)
    return (done if blank < 0 else blank + 2), (len(data) if end < 0 else end)


def _package(stanza: bytes, offset: int) -> Package:
    fields = _fields(stanza)
    state = _state(fields.get("status"), offset)
    version = fields.get("version", "")
    if not version and state not in ("not-installed", "config-files"):
        raise ParseError(
            "dpkg status: an installed package without a version, the file is cut or damaged", offset
        )
    return Package(
        name=fields["package"],
        version=version,
        arch=fields.get("architecture"),
        state=state,
        provides=tuple(part.strip() for part in fields.get("provides", "").split(",") if part.strip()),
        depends=tuple(found[1] for found in _DEPENDENCY.finditer(fields.get("depends", ""))),
    )


def _fields(stanza: bytes) -> dict[str, str]:
    """Field name in lower case to value; continuation lines are joined, which no field in question needs."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in stanza.decode("utf-8", "replace").split("\n"):
        if line[:1] in (" ", "\t"):
            if name in fields:
                fields[name].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        name = name.lower()
        if colon:
            fields[name] = [value.strip()]
    return {name: " ".join(parts) for name, parts in fields.items()}


def _state(status: str | None, offset: int) -> str:
    """The third word of `install ok installed`; the second one says whether it must be installed again."""
    if status is None:
        return "installed"
    words = status.split()
    if len(words) != 3 or words[2] not in _STATES:
        raise ParseError(f"dpkg status: {status[:60]!r} is no status", offset)
    return "half-installed" if words[1] != "ok" else words[2]
