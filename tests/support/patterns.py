"""The steps of a regular expression, counted by a plain backtracking matcher over the tree that `re` itself parses.

sre says nothing of its work. It takes the same decisions in the same order as this matcher does, with shortcuts that
save a factor and no power.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

if sys.version_info >= (3, 11):
    from re import _parser as parser
else:
    import sre_parse as parser


class Counted:
    """A compiled pattern that counts the steps its searches take, and finds what `re` finds."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self._pattern = pattern
        self._tree = list(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
        self._groups: dict[int | None, Any] = {}
        self.steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    def search(self, text: Any) -> re.Match[Any] | None:
        self._first(text, 0)
        return self._pattern.search(text)

    def match(self, text: Any) -> re.Match[Any] | None:
        next(self._sequence(self._tree, text, 0), None)
        return self._pattern.match(text)

    fullmatch = match

    def finditer(self, text: Any) -> Iterator[re.Match[Any]]:
        self.findall(text)
        return self._pattern.finditer(text)

    def findall(self, text: Any) -> list[Any]:
        at = 0
        while at <= len(text):
            found = self._first(text, at)
            if found is None:
                break
            at = found[1] + (found[0] == found[1])
        return self._pattern.findall(text)

    def _first(self, text: Any, at: int) -> tuple[int, int] | None:
        """Where the first match from `at` on begins and ends, found by backtracking as sre does."""
        for begin in range(at, len(text) + 1):
            for end in self._sequence(self._tree, text, begin):
                return begin, end
        return None

    def _sequence(self, nodes: list[Any], text: Any, at: int) -> Iterator[int]:
        """Where a match of these parts can end, in the order in which sre tries them."""
        if not nodes:
            yield at
            return
        for middle in self._ends(*nodes[0], text, at):
            yield from self._sequence(nodes[1:], text, middle)

    def _ends(self, kind: Any, what: Any, text: Any, at: int) -> Iterator[int]:
        self.steps += 1
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            yield from self._repeat(name == "MIN_REPEAT", what, text, at)
        elif name == "SUBPATTERN":
            for end in self._sequence(list(what[3]), text, at):
                self._groups[what[0]] = text[at:end]
                yield end
        elif name == "GROUPREF":
            if text[at : at + len(self._groups[what])] == self._groups[what]:
                yield at + len(self._groups[what])
        elif name == "BRANCH":
            for branch in what[1]:
                yield from self._sequence(list(branch), text, at)
        elif name == "AT":
            if _stands(str(what), text, at, self._pattern.flags):
                yield at
        elif name in ("ASSERT", "ASSERT_NOT"):
            if self._meets(*what, text, at) is (name == "ASSERT"):
                yield at
        elif at < len(text) and _fits(name, what, text[at], self._pattern.flags):
            yield at + 1

    def _meets(self, direction: int, inner: Any, text: Any, at: int) -> bool:
        """Whether what an assertion asks for is ahead of a place, or behind it, where it has a fixed width."""
        begin = at if direction == 1 else at - inner.getwidth()[0]
        ends = self._sequence(list(inner), text, begin) if begin >= 0 else iter(())
        return any(direction == 1 or end == at for end in ends)

    def _repeat(self, lazy: bool, what: Any, text: Any, at: int) -> Iterator[int]:
        least, most, inner = what[0], what[1], list(what[2])
        if len(inner) == 1 and str(inner[0][0]) in _SINGLE:
            ends = [at]
            while len(ends) <= most:
                end = next(self._ends(*inner[0], text, ends[-1]), None)
                if end is None:
                    break
                ends.append(end)
            for end in ends[least:] if lazy else reversed(ends[least:]):
                self.steps += 1
                yield end
            return
        yield from self._again(lazy, (least, most), inner, text, at)

    def _again(
        self, lazy: bool, times: tuple[int, int], inner: list[Any], text: Any, at: int
    ) -> Iterator[int]:
        least, most = times
        if lazy and least == 0:
            yield at
        if most > 0:
            for end in self._sequence(inner, text, at):
                if end > at or least > 0:
                    yield from self._again(lazy, (max(least - 1, 0), most - 1), inner, text, end)
        if not lazy and least == 0:
            yield at


_SINGLE = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_CLASSES = {"SPACE": r"\s", "DIGIT": r"\d", "WORD": r"\w"}


def _in_class(name: str, code: int, flags: int) -> bool:
    return re.match(_CLASSES[name], chr(code), flags & re.UNICODE or re.ASCII) is not None


def _fits(name: str, what: Any, one: str | int, flags: int) -> bool:
    """Whether one character, or byte, is what a single-character part asks for."""
    code = one if isinstance(one, int) else ord(one)
    if name in ("LITERAL", "NOT_LITERAL"):
        same = code == what or (bool(flags & re.IGNORECASE) and chr(code).lower() == chr(what).lower())
        return same is (name == "LITERAL")
    if name == "ANY":
        return bool(flags & re.DOTALL) or code != ord("\n")
    assert name == "IN", f"{name} is not counted here"
    negated = str(what[0][0]) == "NEGATE"
    return negated is not any(_member(str(kind), value, code, flags) for kind, value in what[negated:])


def _member(kind: str, value: Any, code: int, flags: int) -> bool:
    codes = {code}
    if flags & re.IGNORECASE:
        codes |= {ord(chr(code).lower()), ord(chr(code).upper()[0])}
    if kind == "LITERAL":
        return value in codes
    if kind == "RANGE":
        return any(value[0] <= one <= value[1] for one in codes)
    assert kind == "CATEGORY", f"{kind} is not counted here"
    category = str(value).removeprefix("CATEGORY_")
    return _in_class(category.removeprefix("NOT_"), code, flags) is not category.startswith("NOT_")


def _stands(what: str, text: Any, at: int, flags: int) -> bool:
    """Whether an anchor (`^`, `$`, `\\b`) holds at a place."""
    newline = "\n" if isinstance(text, str) else b"\n"
    if what in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return at == 0 or (
            what == "AT_BEGINNING" and bool(flags & re.MULTILINE) and text[at - 1 : at] == newline
        )
    if what in ("AT_END", "AT_END_STRING"):
        line = what == "AT_END" and text[at : at + 1] == newline
        return at == len(text) or (line and (bool(flags & re.MULTILINE) or at + 1 == len(text)))
    assert what in ("AT_BOUNDARY", "AT_NON_BOUNDARY"), f"{what} is not counted here"
    sides = [
        0 <= one < len(text) and _in_class("WORD", ord(text[one : one + 1]), flags) for one in (at - 1, at)
    ]
    return (sides[0] is not sides[1]) is (what == "AT_BOUNDARY")


def count_patterns(module: ModuleType, replace: Callable[[object, str, object], None]) -> list[Counted]:
    """Replace the compiled patterns of a module by counting ones; `replace` is monkeypatch.setattr."""
    counted = []
    for name, value in list(vars(module).items()):
        if isinstance(value, re.Pattern):
            counted.append(Counted(value))
            replace(module, name, counted[-1])
    return counted
