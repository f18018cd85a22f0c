"""Where in a TOML document its values stand: `tomllib` parses, but gives no line numbers.

The scanner trusts that the document is valid (tomllib has read it) and finds the line of every table, key and array
element, by path: `("waiver", 1, "until")` is the key `until` of the second `[[waiver]]`. TOML 1.0, toml.io.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = " \t"
_CLOSING = {"[": "]", "{": "}"}


@dataclass(slots=True)
class _Scanner:
    """A place in the text, and what was found before it."""

    text: str
    at: int = 0
    line: int = 1
    lines: dict[Path, int] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def forward(self, count: int = 1) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    @property
    def more(self) -> bool:
        return self.at < len(self.text)


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) of everything in a valid document, by its path.

    Keys are as tomllib gives them; elements of arrays, and of arrays of tables, have their index in the path.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    table: Path = ()
    _blank(scanner)
    while scanner.more:
        if scanner.peek() == "[":
            table = _header(scanner)
        else:
            _pair(scanner, table)
        _blank(scanner)
    return scanner.lines


def line_of(found: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing around it; 1 for the document."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)


def _blank(scanner: _Scanner) -> None:
    """Over spaces, newlines and comments."""
    while scanner.more:
        if scanner.peek() == "#":
            end = scanner.text.find("\n", scanner.at)
            scanner.forward((end if end >= 0 else len(scanner.text)) - scanner.at)
        elif scanner.peek() in _SPACE + "\n":
            scanner.forward()
        else:
            return


def _header(scanner: _Scanner) -> Path:
    """`[a.b]` or `[[a.b]]`: the path of what follows."""
    line, array = scanner.line, scanner.peek(2) == "[["
    scanner.forward(2 if array else 1)
    path: Path = ()
    keys = _keys(scanner)
    for key in keys[:-1]:
        path = _latest(scanner, (*path, key))
    path = (*path, keys[-1])
    if array:
        index = scanner.counts.get(path, 0)
        scanner.counts[path] = index + 1
        scanner.lines.setdefault(path, line)
        path = (*path, index)
    scanner.lines.setdefault(path, line)
    scanner.forward(2 if array else 1)
    return path


def _latest(scanner: _Scanner, path: Path) -> Path:
    """A table named in a header is the last one of its array."""
    count = scanner.counts.get(path)
    return path if count is None else (*path, count - 1)


def _pair(scanner: _Scanner, table: Path) -> None:
    """`key = value`; dotted keys make the tables between."""
    line = scanner.line
    path = table
    for key in _keys(scanner):
        path = (*path, key)
        scanner.lines.setdefault(path, line)
    scanner.forward()  # the equals sign
    _over(scanner, _SPACE)
    _value(scanner, path)


def _keys(scanner: _Scanner) -> list[str]:
    """A dotted key, up to the equals sign or bracket after it."""
    keys: list[str] = []
    while True:
        _over(scanner, _SPACE)
        keys.append(_key(scanner))
        _over(scanner, _SPACE)
        if scanner.peek() != ".":
            return keys
        scanner.forward()


def _key(scanner: _Scanner) -> str:
    if scanner.peek() in ('"', "'"):
        start = scanner.at
        _string(scanner)
        return _unquoted(scanner.text[start : scanner.at])
    match = _BARE.match(scanner.text, scanner.at)
    if match is None:
        scanner.forward()
        return ""
    scanner.forward(len(match[0]))
    return match[0]


def _unquoted(quoted: str) -> str:
    """A quoted key as tomllib would give it; what JSON and TOML escape differently is left as it stands."""
    if quoted.startswith("'") or "\\" not in quoted:
        return quoted[1:-1]
    import json

    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]


def _value(scanner: _Scanner, path: Path) -> None:
    """Over a value. Nested ones are walked with a stack of their own: no document can exhaust Python's."""
    open_: list[tuple[str, Path, int]] = []
    here = path
    while scanner.more:
        char = scanner.peek()
        if char in ('"', "'"):
            _string(scanner)
        elif char in _CLOSING:
            open_.append((_CLOSING[char], here, 0))
            scanner.forward()
            here = _element(scanner, open_)
            continue
        elif open_ and char == open_[-1][0]:
            scanner.forward()
            here = open_.pop()[1]
        elif open_ and char == ",":
            close, outer, index = open_[-1]
            open_[-1] = (close, outer, index + 1)
            scanner.forward()
            here = _element(scanner, open_)
            continue
        elif char in {"\n", "#"}:
            if not open_:
                return
            _blank(scanner)
        else:
            scanner.forward()
        if not open_ and scanner.peek() in ("\n", "#", ""):
            return


def _element(scanner: _Scanner, open_: list[tuple[str, Path, int]]) -> Path:
    """The path of the next element of the innermost array or inline table, with its line noted."""
    _blank(scanner)
    close, outer, index = open_[-1]
    if scanner.peek() == close:
        return outer
    if close == "]":
        path: Path = (*outer, index)
        scanner.lines.setdefault(path, scanner.line)
        return path
    line, path = scanner.line, outer
    for key in _keys(scanner):
        path = (*path, key)
        scanner.lines.setdefault(path, line)
    _over(scanner, _SPACE)
    scanner.forward()  # the equals sign
    return path


def _string(scanner: _Scanner) -> None:
    """Over a string of any of the four kinds."""
    quote = scanner.peek()
    if scanner.peek(3) == quote * 3:
        scanner.forward(3)
        while scanner.more and scanner.peek(3) != quote * 3:
            scanner.forward(2 if scanner.peek() == "\\" and quote == '"' else 1)
        scanner.forward(3)
        while scanner.peek() == quote:  # up to two quotes may stand before the closing three
            scanner.forward()
        return
    scanner.forward()
    while scanner.more and scanner.peek() != quote:
        scanner.forward(2 if scanner.peek() == "\\" and quote == '"' else 1)
    scanner.forward()


def _over(scanner: _Scanner, characters: str) -> None:
    while scanner.more and scanner.peek() in characters:
        scanner.forward()
