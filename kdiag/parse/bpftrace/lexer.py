"""The words of a bpftrace script with their places: names, numbers, texts, signs; and the lines of C's preprocessor.

The words are those of bpftrace's src/lexer.l. What is between two probes is C in part (structs, `#include`), which has
the same words.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.parse.errors import ParseError

#: The longest stock script has 10 kB; this much takes some seconds.
LARGEST = 256 * 1024

_WORD = re.compile(
    r"""
      (?P<space>[ \t\r\f\v]+)
    | (?P<line>\n)
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<open>/\*)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<quote>")
    | (?P<char>'(?:[^'\\\n]|\\.)')
    | (?P<map>@[A-Za-z_][A-Za-z0-9_]*|@)
    | (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*|\$[0-9]+|\$\#)
    | (?P<number>0[xX][0-9a-fA-F_]+[uUlL]*|[0-9][0-9_]*(?:\.[0-9]+(?=e))?(?:e[0-9]+)?[A-Za-z]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>->|\.\.\.|\.\.|<<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|=>|[-+*/%&|^~!<>=?:;,.(){}\[\]`\\#])
    """,
    re.VERBOSE | re.DOTALL,
)


class Word(NamedTuple):
    """kind: name, number, text, map, variable, char, sign, or hash for a line of the preprocessor. start, end: offsets
    into the script; line and column count from 1.
    """

    kind: str
    text: str
    start: int
    end: int
    line: int
    column: int


class ScriptError(ParseError):
    """What is wrong with a script, and where: line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line, self.column = line, column


def words(source: str) -> list[Word]:
    """The words of a script without white space and comments. Raises ScriptError."""
    if len(source) > LARGEST:
        raise ScriptError(
            f"a script of {len(source)} characters: {LARGEST} is the most that kdiag reads", 1, 1
        )
    found: list[Word] = []
    at, line, begin = 0, 1, 0
    if source.startswith("#!"):
        at = source.find("\n")
        at = len(source) if at < 0 else at
    fresh = True  # nothing but white space since the line began
    while at < len(source):
        match = _WORD.match(source, at)
        if match is None:
            raise ScriptError(_unknown(source[at]), line, at - begin + 1)
        kind, text, column = match.lastgroup or "", match[0], at - begin + 1
        if kind in ("open", "quote"):
            what = "a comment" if kind == "open" else "a text in double quotes"
            raise ScriptError(f"{what} that begins here does not end", line, column)
        end = match.end()
        if kind == "sign" and text == "#" and fresh:
            end = _directive_end(source, at)
            kind, text = "hash", source[at:end]
        if kind not in ("space", "line", "comment"):
            found.append(Word(kind, text, at, end, line, column))
        lines = text.count("\n")
        if lines:
            line, begin = line + lines, at + text.rindex("\n") + 1
        fresh = kind == "line" or (fresh and kind in ("space", "comment"))
        at = end
    return found


def _directive_end(source: str, at: int) -> int:
    """Where a line of the preprocessor ends; a backslash carries it on."""
    end = source.find("\n", at)
    while end > 0 and source[end - 1] == "\\":
        end = source.find("\n", end + 1)
    return len(source) if end < 0 else end


def _unknown(character: str) -> str:
    if character == "\0":
        return "a NUL byte: this is no text"
    return f"the character {character!a} has no meaning here"
