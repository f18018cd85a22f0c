"""What the terminal at the other end can show."""

from __future__ import annotations

import os
from typing import NamedTuple, TextIO


class Terminal(NamedTuple):
    """Columns, whether to use colours, whether the encoding has more than ASCII."""

    width: int
    color: bool
    unicode: bool

    @classmethod
    def of(cls, stream: TextIO, color: bool | None) -> Terminal:
        """`color` is the user's word; None lets NO_COLOR (no-color.org), TERM and the stream decide."""
        tty = stream.isatty()
        if color is None:
            color = moves(stream) and not os.environ.get("NO_COLOR")
        return cls(_width(stream, tty), color, _unicode(stream))


def moves(stream: TextIO) -> bool:
    """Whether it is a terminal that can do more than print line after line."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _width(stream: TextIO, tty: bool) -> int:
    columns = os.environ.get("COLUMNS", "")
    # More digits than any terminal has columns are no number of columns; nor is "²", which isdigit() takes.
    if columns.isascii() and columns.isdigit() and len(columns) < 10 and int(columns) > 0:
        return max(40, min(int(columns), 160))
    if tty:
        try:
            return max(40, min(os.get_terminal_size(stream.fileno()).columns or 80, 120))
        except OSError:
            pass
    return 80


def _unicode(stream: TextIO) -> bool:
    try:
        "✓·✗".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
