"""Text from anywhere made fit to be printed: what moves a cursor, paints, reorders or hides is shown, not sent.

File names, values of configuration files, arguments and what a kernel says may hold any character; a terminal obeys
some of them (xterm's "Control Sequences"), and a reader is deceived by others (UAX #9's bidirectional controls).
"""

from __future__ import annotations

import re

#: Colours (SGR), the one sequence that kdiag itself sends.
_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")


def escaped(char: str) -> str:
    """How a character is shown that must not be printed: `\\x1b`; a byte that was not UTF-8 as that byte."""
    if char in "\n\r":
        return "\\n" if char == "\n" else "\\r"
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape, PEP 383
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def instead(char: str) -> str:
    """What is printed for a character that is not printable: a space for a blank, else its number."""
    return " " if char.isspace() and char > "\x7f" and char not in "\x85\u2028\u2029" else escaped(char)


def line(text: str) -> str:
    """The text on one line.

    What Python calls not printable is shown: controls, C1 and DEL too, line separators, bidirectional and zero-width
    characters, surrogates, and what is assigned to nothing.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else instead(c) for c in text)


def lines(text: str, *, color: bool = False) -> str:
    """The text with its lines (and, if `color`, its colours), every other character as `line` shows it."""
    if text.replace("\n", "").isprintable():
        return text
    if color:
        parts = _COLOR.split(text)
        return "".join(part if index % 2 else lines(part) for index, part in enumerate(parts))
    return "".join(c if c.isprintable() or c in "\n\t" else instead(c) for c in text)


def fitting(text: str, encoding: str | None) -> str:
    """The text with what the encoding lacks shown as its number."""
    try:
        return text.encode(encoding or "ascii", "backslashreplace").decode(encoding or "ascii")
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
