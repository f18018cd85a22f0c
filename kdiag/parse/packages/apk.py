"""apk: lib/apk/db/installed. Format: apk-tools, one letter fields, stanzas divided by an empty line."""

from __future__ import annotations

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted


def installed(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages. Raises ParseError (offset in bytes) where the data are not such a database."""
    found: list[Package] = []
    start, seen = 0, False
    while start < len(data):
        end = data.find(b"\n\n", start)
        end = len(data) if end < 0 else end
        at = data.find(b"\nP:", start, end) + 1 if not data.startswith(b"P:", start) else start
        if at or data.startswith(b"P:", start):
            seen = True
            line_end = data.find(b"\n", at, end)
            name = data[at + 2 : end if line_end < 0 else line_end].decode("utf-8", "replace")
            if wanted(name):
                found.append(_package(data[start:end], name, start))
        start = end + 2
    if not seen and data.strip():
        raise ParseError("not an apk database: no stanza with a package name", 0)
    return tuple(found)


def _package(stanza: bytes, name: str, offset: int) -> Package:
    fields: dict[str, str] = {}
    for line in stanza.decode("utf-8", "replace").split("\n"):
        letter, colon, value = line.partition(":")
        if letter in ("F", "R"):  # the list of files follows
            break
        if colon:
            fields.setdefault(letter, value)
    if not fields.get("V"):
        raise ParseError(f"apk database: {name} has no version", offset)
    return Package(name, fields["V"], fields.get("A"), provides=tuple(fields.get("p", "").split()))
