"""How each bpftrace release behaves, where its source decides it.

The table is in `bpftrace_history`; every row there names the commit that moved the boundary. All of it is *expected*
behaviour of upstream's code: a distribution may patch, and an observation always wins.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from kdiag.knowledge.tools.behaviour import Behaviour, Version
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ, OLDEST_READ, ROWS

_NUMBERS = r"v?(\d{1,3})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)"
_NAMED = re.compile(rf"(?<!\S)bpftrace\s+{_NUMBERS}", re.IGNORECASE)
_WHO = re.compile(r"^bpftrace v?\w", re.MULTILINE)
_BARE = re.compile(rf"\s*{_NUMBERS}\S*\s*")


CAPABILITIES_OF_USERS = ("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE")
"""What an effective uid other than 0 needs, in the order of check_privileges(), src/run_bpftrace.cpp."""
CAPABILITIES_OF_ALL = (("CAP_SYS_ADMIN",), ("CAP_BPF", "CAP_PERFMON"))
"""Alternatives, one of which every user needs (same function)."""


def behaviour(version: Version) -> Behaviour:
    """The behaviour of one release; never fails. One beyond the table gets its nearest row, `known=False`."""
    place = bisect_right([row.since for row in ROWS], version)
    row = ROWS[max(place - 1, 0)]
    return row._replace(version=version, known=version >= OLDEST_READ and version[:2] <= NEWEST_READ[:2])


def parse_version(output: str) -> Version | None:
    """The version in the output of `bpftrace --version` (or `-V`), None if there is none.

    Accepts `bpftrace v0.17.0`, two numbers (`v0.9`), `git describe` tails (`v0.21.0-123-gabc`, `-dirty`,
    `-rc0`), packagers' tails (`v0.20.2-1ubuntu4.3`), and a line that is nothing but a version. Release
    candidates count as their release. Warnings around the line do not matter.
    """
    found = _NAMED.search(output) or next(filter(None, map(_BARE.fullmatch, output.splitlines())), None)
    if found is None:
        return None
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch or 0)


def says_bpftrace(output: str) -> bool:
    """Whether this is how bpftrace answers `--version`, all releases: `bpftrace v0.17.0`. Perl says "This is perl"."""
    return _WHO.search(output) is not None
