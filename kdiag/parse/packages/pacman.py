"""pacman: var/lib/pacman/local/, one directory per package, named <name>-<version>-<release>."""

from __future__ import annotations

from collections.abc import Iterable

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted


def installed(directories: Iterable[str], wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages, by the names of the directories alone; names of another form are not packages."""
    found = []
    for directory in directories:
        name, version = _split(directory)
        if version and wanted(name):
            found.append(Package(name, version))
    return tuple(found)


def description(data: bytes) -> Package:
    """One package by its `desc` file, which also knows architecture and provides. Raises ParseError."""
    fields: dict[str, list[str]] = {}
    values: list[str] | None = None
    for line in data.decode("utf-8", "replace").split("\n"):
        if len(line) > 2 and line.startswith("%") and line.endswith("%"):
            values = fields.setdefault(line[1:-1], [])
        elif line and values is not None:
            values.append(line)
        elif line:
            raise ParseError("not a desc file of pacman: text before the first %FIELD%")
    if not fields.get("NAME") or not fields.get("VERSION"):
        raise ParseError("not a desc file of pacman: no %NAME% or no %VERSION%")
    arch = fields.get("ARCH")
    return Package(
        name=fields["NAME"][0],
        version=fields["VERSION"][0],
        arch=arch[0] if arch else None,
        provides=tuple(fields.get("PROVIDES", ())),
    )


def _split(directory: str) -> tuple[str, str]:
    """`linux-headers-6.8.1.arch1-1` to (`linux-headers`, `6.8.1.arch1-1`); ("", "") if it is no such name."""
    parts = directory.rsplit("-", 2)
    if len(parts) != 3 or not all(parts) or "/" in directory:
        return "", ""
    return parts[0], f"{parts[1]}-{parts[2]}"
