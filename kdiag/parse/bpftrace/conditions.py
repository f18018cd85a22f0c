"""Which lines of C's preprocessor count: `#if`, `#ifdef`, `#ifndef` and their `#else`, for names that are defined, that
are not, or of which that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kdiag.parse.bpftrace.lexer import ScriptError, Word

_INCLUDE = re.compile(r"#\s*include\s*[<\"]([^>\"\n]{1,400})[>\"]")
_DEFINE = re.compile(r"#\s*define\s+([A-Za-z_]\w*)")
_IF = re.compile(r"#\s*(ifdef|ifndef|if|elif|else|endif)\b\s*(.*)", re.DOTALL)
_DEFINED = re.compile(r"(!?)\s*defined\s*\(?\s*(\w+)\s*\)?\s*(?:/[/*].*)?")


class Line(NamedTuple):
    """An include or a define that counts. certain: False where that depends on what is not known."""

    kind: str
    name: str
    certain: bool
    line: int


def states(directives: Iterable[Word], defined: Mapping[str, bool | None]) -> list[tuple[int, bool | None]]:
    """From which line on what stands there counts: True, False, or None where that is not known."""
    known = dict(defined)
    stack: list[tuple[bool | None, bool | None, Word]] = []
    found: list[tuple[int, bool | None]] = []
    for word in directives:
        condition = _IF.match(word.text)
        if condition is not None:
            _condition(condition[1], condition[2].strip(), word, stack, known)
            found.append((word.line, _all(branch for branch, _, _ in stack)))
    return found


def counts(line: int, found: Iterable[tuple[int, bool | None]]) -> bool | None:
    """Whether what stands in a line counts, by `states`."""
    state: bool | None = True
    for begin, value in found:
        if begin > line:
            break
        state = value
    return state


def lines(directives: Iterable[Word], defined: Mapping[str, bool | None]) -> list[Line]:
    """The includes and defines that count; names that are not in `defined` are unknown. Raises ScriptError."""
    known = dict(defined)
    #: Of each open condition: whether this branch counts, and whether one before it did.
    stack: list[tuple[bool | None, bool | None, Word]] = []
    found: list[Line] = []
    for word in directives:
        condition = _IF.match(word.text)
        if condition is not None:
            _condition(condition[1], condition[2].strip(), word, stack, known)
            continue
        counts = _all(branch for branch, _, _ in stack)
        for kind, pattern in (("include", _INCLUDE), ("define", _DEFINE)):
            match = pattern.match(word.text)
            if match is not None and counts is not False:
                found.append(Line(kind, match[1], counts is True, word.line))
                if kind == "define":
                    known[match[1]] = counts
    if stack:
        open_ = stack[-1][2]
        raise ScriptError("a condition that begins here has no #endif", open_.line, open_.column)
    return found


def _condition(
    kind: str,
    text: str,
    word: Word,
    stack: list[tuple[bool | None, bool | None, Word]],
    known: Mapping[str, bool | None],
) -> None:
    if kind in ("if", "ifdef", "ifndef"):
        value = _value(kind, text, known)
        stack.append((value, value, word))
        return
    if not stack:
        raise ScriptError(f"#{kind} without an #if", word.line, word.column)
    _, before, first = stack.pop()
    if kind == "endif":
        return
    value = _value("if", text, known) if kind == "elif" else True
    here = _all((_not(before), value))
    stack.append((here, _not(_all((_not(before), _not(value)))), first))


def _value(kind: str, text: str, known: Mapping[str, bool | None]) -> bool | None:
    if kind in ("ifdef", "ifndef"):
        name = text.split(maxsplit=1)[0] if text.split() else ""
        value = known.get(name)
        return value if kind == "ifdef" else _not(value)
    match = _DEFINED.fullmatch(text)
    if match is not None:
        value = known.get(match[2])
        return _not(value) if match[1] else value
    return {"0": False, "1": True}.get(text)


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _all(values: Iterable[bool | None]) -> bool | None:
    every = list(values)
    return False if False in every else None if None in every else True
