"""Text from anywhere made fit to be printed: what moves a cursor, paints, reorders or hides is shown, not sent.

File names, values of configuration files, arguments and what a kernel says may hold any character; a terminal obeys
some of them (xterm's "Control Sequences"), and a reader is deceived by others (UAX #9's bidirectional controls).

The log of a CI job obeys words: `::name ...::` at the start of a line, after blanks, and `##[name]` anywhere in one
(actions/runner, src/Runner.Common/ActionCommand.cs); `##vso[area.name]` anywhere (azure-pipelines-agent,
src/Microsoft.VisualStudio.Services.Agent/Command.cs); `##teamcity[name]` (TeamCity's "Service Messages").
"""

from __future__ import annotations

import re

#: Colours (SGR), the one sequence that kdiag itself sends.
_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")

#: The first character of such a word. A line is broken at any blank, so each word may come to begin one.
_COMMAND = re.compile(r"#(?=#(?:[A-Za-z]+)?\[)|(?<!\S):(?=:[A-Za-z])")


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


def inert(text: str) -> str:
    """The text with no word in it that the log of a CI job obeys."""
    return _COMMAND.sub(lambda found: escaped(found[0]), text) if "::" in text or "##" in text else text


def in_markup(document: str) -> str:
    """The same for a document of XML or HTML, whose readers get the same text: as a character reference."""
    return _COMMAND.sub(lambda found: f"&#{ord(found[0])};", document)


def line(text: str) -> str:
    """The text on one line.

    What Python calls not printable is shown: controls, C1 and DEL too, line separators, bidirectional and zero-width
    characters, surrogates, and what is assigned to nothing.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else instead(c) for c in text)
    return inert(text)


def lines(text: str, *, color: bool = False) -> str:
    """The text with its lines (and, if `color`, its colours), every other character as `line` shows it."""
    if text.replace("\n", "").isprintable():
        return inert(text)
    if color:
        parts = _COLOR.split(text)
        return "".join(part if index % 2 else lines(part) for index, part in enumerate(parts))
    return inert("".join(c if c.isprintable() or c in "\n\t" else instead(c) for c in text))


def in_json(document: str) -> str:
    """What json.dumps made, with the same values: all that is not printable, and the first character of a command, as
    the escape of JSON. A byte that was not UTF-8 (a surrogate, which JSON cannot carry) becomes the text `\\x80`.
    """
    if not document.replace("\n", "").isprintable():
        document = "".join(c if c.isprintable() or c == "\n" else _in_string(c) for c in document)
    if "::" in document or "##" in document:
        document = _COMMAND.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    return document


def _in_string(char: str) -> str:
    """A character that json.dumps left as it is, inside a JSON string."""
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\\" + escaped(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def fitting(text: str, encoding: str | None) -> str:
    """The text with what the encoding lacks shown as its number."""
    try:
        return text.encode(encoding or "ascii", "backslashreplace").decode(encoding or "ascii")
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
