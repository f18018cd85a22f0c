"""xbps: var/db/xbps/pkgdb-0.38.plist, a property list with a dictionary for every package (Void Linux).

Format: xbps lib/pkgdb.c; keys are written in alphabetical order, so `pkgver` comes before `state`.
"""

from __future__ import annotations

import re

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted

_PKGVER = re.compile(rb"<key>pkgver</key>\s*<string>([^<]{1,200})-([^<-]{1,100})</string>")
_STATE = re.compile(rb"<key>state</key>\s*<string>([^<]{1,40})</string>")


def installed(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages. Raises ParseError where the data are not such a list."""
    if b"<plist" not in data[:4096]:
        raise ParseError("not a package list of xbps: no <plist> at its start", 0)
    found: list[Package] = []
    entries = list(_PKGVER.finditer(data))
    for number, entry in enumerate(entries):
        name = entry[1].decode("utf-8", "replace")
        if not wanted(name):
            continue
        end = entries[number + 1].start() if number + 1 < len(entries) else len(data)
        state = _STATE.search(data, entry.end(), end)
        if state is None or state[1] == b"installed":
            found.append(Package(name, entry[2].decode("utf-8", "replace")))
    return tuple(found)
