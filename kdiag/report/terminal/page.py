"""How things look on a terminal: the page's size and abilities, colours, marks, indented and labelled text.

SGR codes are written by hand: rich takes 28 ms to import and tabulate 23, and a whole run has about 150.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.console.called import spoken
from kdiag.console.wrap import clean, pad, wrap
from kdiag.model import Readiness, Status, Works

#: Prose on a very wide terminal stays readable.
_WIDEST = 120
_NARROWEST = 30
_LABEL = 9

_SGR = {"bold": "1", "dim": "2", "good": "32", "care": "33", "bad": "31", "open": "36"}

#: What `paint` adds.
SGR = re.compile(r"\x1b\[[0-9;]*m")

_WORKS = {
    Works.WORKS: ("✓", "+", "good", "works"),
    Works.CAVEAT: ("~", "~", "care", "works with a caveat"),
    Works.FAILS: ("✗", "x", "bad", "does not work"),
    Works.UNKNOWN: ("?", "?", "open", "cannot tell"),
}

#: Of what does not work for this user: works as root.
_AS_ROOT = ("↑", "^", "care")

_STATUS = {
    Status.OK: ("✓", "+", "good"),
    Status.WARN: ("!", "!", "care"),
    Status.FAIL: ("✗", "x", "bad"),
    Status.UNKNOWN: ("?", "?", "open"),
    Status.SKIP: ("·", "-", "dim"),
}

VERDICTS = {
    Readiness.READY: ("READY", "good"),
    Readiness.NOT_READY: ("NOT READY", "bad"),
    Readiness.UNKNOWN: ("CANNOT TELL", "open"),
}


class Page(NamedTuple):
    """A terminal to write for. width: columns; unicode: whether its encoding takes more than ASCII."""

    width: int
    color: bool = False
    verbose: bool = False
    unicode: bool = True

    @property
    def room(self) -> int:
        """Columns that are used."""
        return max(_NARROWEST, min(self.width, _WIDEST))

    @property
    def narrow(self) -> bool:
        """Too narrow for columns beside each other."""
        return self.room < 60

    @property
    def dot(self) -> str:
        """Between things of one line."""
        return " · " if self.unicode else "; "

    @property
    def dash(self) -> str:
        """Before a reason."""
        return " — " if self.unicode else " - "

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles; as it is without colour, or if there is nothing to see."""
        if not self.color or not text.strip():
            return text
        return f"\x1b[{';'.join(_SGR[style] for style in styles)}m{text}\x1b[0m"

    def clean(self, text: str) -> str:
        """Untrusted text on one line, fit for this terminal."""
        return clean(text, unicode=self.unicode)

    def works_mark(self, status: Works) -> str:
        """The painted mark of a capability."""
        fancy, plain, style, _ = _WORKS[status]
        return self.paint(fancy if self.unicode else plain, style)

    def root_mark(self) -> str:
        """The painted mark of a capability that root is expected to have."""
        fancy, plain, style = _AS_ROOT
        return self.paint(fancy if self.unicode else plain, style)

    def status_mark(self, status: Status) -> str:
        """The painted mark of a finding."""
        fancy, plain, style = _STATUS[status]
        return self.paint(fancy if self.unicode else plain, style)

    def text(self, text: str, indent: int, *styles: str, rest: int | None = None) -> list[str]:
        """Cleaned and wrapped lines, all indented; the second and later ones by `rest` if given."""
        later = indent if rest is None else rest
        lines = wrap(self.clean(spoken(text)), self.room - max(indent, later))
        return [
            " " * (later if index else indent) + (self.paint(line, *styles) if styles else line)
            for index, line in enumerate(lines)
        ]

    def labelled(self, label: str, text: str) -> list[str]:
        """A wrapped text beside its label in a column of its own; on a narrow page after it."""
        if self.narrow:
            if not label:
                return self.text(text, 4, rest=6)
            first, *others = self.text(f"{label}: {text}", 2, rest=4)
            cut = 2 + len(label) + 1
            return [f"  {self.paint(first[2:cut], 'dim')}{first[cut:]}", *others]
        lines = wrap(self.clean(spoken(text)), self.room - 4 - _LABEL) or [""]
        head = self.paint(pad(label, _LABEL), "dim")
        return [f"    {' ' * _LABEL if index else head}{line}".rstrip() for index, line in enumerate(lines)]

    def command(self, command: str, label: str = "") -> str:
        """A command on one line, whatever the width: it is there to be copied."""
        head = pad(label, _LABEL) if not self.narrow else f"{label}: " if label else ""
        shown = self.paint(self.clean(spoken(command)), "bold")
        return f"    {self.paint(head, 'dim')}{self.paint('$', 'dim')} {shown}"


def works_words(status: Works) -> str:
    """A capability's status in words."""
    return _WORKS[status][3]
