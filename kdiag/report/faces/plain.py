"""Untrusted strings made fit for files: neutralised as for a terminal, and of bounded length.

`wrap.visible` says what is neutralised; here texts may keep their lines, and what is cut off is told. What would be an
order to the log of a CI job, each format says in its own way (`printable.inert` and its siblings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.console.printable import instead
from kdiag.console.wrap import visible

if TYPE_CHECKING:
    from kdiag.model import Evidence

#: Characters of one line (a summary, a path) and of a block (what was observed) that a report shows.
LINE = 2_000
BLOCK = 10_000
#: Characters of evidence that a report shows of one finding.
ROOM = 60_000


def line(text: str, limit: int = LINE) -> str:
    """The text on one line; every character left is printable, so that XML, YAML and terminals take it."""
    head, note = _cut(text, limit)
    return visible(head) + note


def block(text: str, limit: int = BLOCK) -> str:
    """The text with its lines and indentation, without a newline at its end."""
    head, note = _cut(text, limit)
    head = head.replace("\r\n", "\n").strip("\n").expandtabs(4)
    if not head.replace("\n", "").isprintable():
        head = "".join(c if c.isprintable() or c == "\n" else instead(c) for c in head)
    return head.rstrip() + note


def pieces(evidence: tuple[Evidence, ...], limit: int = BLOCK, room: int = ROOM) -> Iterator[tuple[str, str]]:
    """What was looked at (a line) and what was seen there (a block), until the room is used up; then how many
    pieces are left out.
    """
    for index, item in enumerate(evidence):
        if room <= 0:
            yield "…", f"{len(evidence) - index:,} more: see --format json"
            return
        source, observed = line(item.place), block(item.observed, limit)
        room -= len(source) + len(observed)
        yield source, observed


def _cut(text: str, limit: int) -> tuple[str, str]:
    if len(text) <= limit:
        return text, ""
    return text[:limit], f" … ({len(text) - limit:,} more characters: see --format json)"
