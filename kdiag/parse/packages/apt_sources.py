"""apt's sources: etc/apt/sources.list and the files of etc/apt/sources.list.d/, in both of their formats.

Format: sources.list(5). A line `deb [options] uri suite component...` in files that end in .list, stanzas with
`Types`, `URIs`, `Suites` and perhaps `Enabled: no` in those that end in .sources.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"^[ \t]*deb[ \t]+(?:\[[^\]\n]*\][ \t]*)?(\S+)[ \t]+(\S+)", re.MULTILINE)
_NO = ("no", "false", "without", "off", "disable")


class Source(NamedTuple):
    """One place that apt takes binary packages from."""

    uri: str
    suites: tuple[str, ...]


def parse(name: str, data: bytes) -> tuple[Source, ...]:
    """The enabled sources of one file; `name` decides its format. What is no source is passed over, as apt does with
    comments.
    """
    text = data.decode("utf-8", "replace")
    if name.endswith(".sources"):
        return tuple(source for stanza in re.split(r"\n[ \t]*\n", text) for source in _stanza(stanza))
    return tuple(Source(found[1], (found[2],)) for found in _LINE.finditer(text))


def _stanza(text: str) -> tuple[Source, ...]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t") and name:
            fields[name] += f" {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in _NO:
        return ()
    suites = tuple(fields.get("suites", "").split())
    return tuple(Source(uri, suites) for uri in fields.get("uris", "").split())
