"""A bpftrace script taken apart: its lines of C, its settings, functions and macros, and its probes with their bodies.

What stands in a body is `kdiag.parse.bpftrace.uses`. The grammar is that of bpftrace's src/parser.yy, with what later
releases added; a body may hold what no release so far knows, as long as its brackets close.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.parse.bpftrace.attach import AttachPoint
from kdiag.parse.bpftrace.attach import parse as parse_point
from kdiag.parse.bpftrace.lexer import ScriptError, Word, words
from kdiag.parse.errors import ParseError

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_PAIRS.values())
_DEEPEST = 200
_TYPES_OF_C = ("struct", "union", "enum", "typedef")


class Placed(NamedTuple):
    """An attach point and where it stands."""

    point: AttachPoint
    line: int
    column: int


class Probe(NamedTuple):
    """One clause: what it is attached to, the words of its predicate and of its body."""

    points: tuple[Placed, ...]
    predicate: tuple[Word, ...]
    body: tuple[Word, ...]
    line: int


class Definition(NamedTuple):
    """A function (`fn`), a macro, or a type of C. name: with its keyword for a type, `struct event`; parameters: names
    that stand for the arguments of a function or a macro.
    """

    kind: str
    name: str
    body: tuple[Word, ...]
    line: int
    parameters: tuple[str, ...] = ()


class Script(NamedTuple):
    """directives: the lines of the preprocessor, each with its line; config: settings by name."""

    probes: tuple[Probe, ...]
    directives: tuple[Word, ...]
    definitions: tuple[Definition, ...]
    config: dict[str, str]
    imports: tuple[str, ...]
    maps: tuple[Word, ...]
    words: tuple[Word, ...]


def parse(source: str) -> Script:
    """Take a script apart. Raises ScriptError with line and column."""
    return _Reader(source).script()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.words = words(source)
        self.at = 0
        self.probes: list[Probe] = []
        self.definitions: list[Definition] = []
        self.config: dict[str, str] = {}
        self.imports: list[str] = []
        self.maps: list[Word] = []

    def script(self) -> Script:
        while self.at < len(self.words):
            self._item()
        if not self.probes:
            last = self.words[-1] if self.words else Word("sign", "", 0, 0, 1, 1)
            raise ScriptError("the script has no probe", last.line, last.column)
        return Script(
            probes=tuple(self.probes),
            directives=tuple(word for word in self.words if word.kind == "hash"),
            definitions=tuple(self.definitions),
            config=self.config,
            imports=tuple(self.imports),
            maps=tuple(self.maps),
            words=tuple(self.words),
        )

    def _item(self) -> None:
        word = self.words[self.at]
        following = self._text(1)
        if word.kind == "hash" or word.text == ";":
            self.at += 1
        elif word.text == "config" and following == "=":
            self._config()
        elif word.text in _TYPES_OF_C:
            self._c_type()
        elif word.text == "import" and self._kind(1) == "text":
            self.imports.append(self.words[self.at + 1].text.strip('"'))
            self.at += 2
        elif word.text == "let" and self._kind(1) == "map":
            self.maps.append(word)
            self._until(";")
        elif word.text in ("fn", "macro") and self._kind(1) == "name":
            self._function(word.text)
        else:
            self._probe()

    def _text(self, ahead: int) -> str:
        return self.words[self.at + ahead].text if self.at + ahead < len(self.words) else ""

    def _kind(self, ahead: int) -> str:
        return self.words[self.at + ahead].kind if self.at + ahead < len(self.words) else ""

    def _until(self, text: str) -> list[Word]:
        """The words before the next one of this text outside of brackets, which is passed."""
        start = self.at
        while self.at < len(self.words) and self.words[self.at].text != text:
            if self.words[self.at].text in _PAIRS:
                self._bracket()
            else:
                self.at += 1
        if self.at >= len(self.words):
            raise self._error(f"{text!r} is missing after this", self.words[start])
        self.at += 1
        return self.words[start : self.at - 1]

    def _bracket(self) -> list[Word]:
        """The words between a bracket and the one that closes it."""
        first = self.at
        stack: list[Word] = []
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word.kind != "sign":
                continue
            if word.text in _PAIRS:
                stack.append(word)
                if len(stack) > _DEEPEST:
                    raise self._error(f"more than {_DEEPEST} brackets inside of each other", word)
            elif word.text in _CLOSING:
                if _PAIRS[stack[-1].text] != word.text:
                    raise self._error(f"{word.text!r} does not close {stack[-1].text!r}", word)
                stack.pop()
                if not stack:
                    return self.words[first + 1 : self.at - 1]
        raise self._error(f"{stack[-1].text!r} is not closed", stack[-1])

    def _config(self) -> None:
        self.at += 2
        if self._text(0) != "{":
            raise self._error("'{' is missing after `config =`", self.words[self.at - 1])
        body = self._bracket()
        entry: list[Word] = []
        for word in [*body, Word("sign", ";", 0, 0, 0, 0)]:
            if word.text in (";", ",") and word.kind == "sign":
                if len(entry) >= 3 and entry[1].text == "=":
                    name = entry[0].text.lower().removeprefix("bpftrace_")
                    self.config[name] = "".join(one.text for one in entry[2:]).strip('"')
                entry = []
            else:
                entry.append(word)

    def _c_type(self) -> None:
        first = self.words[self.at]
        name = self._text(1) if self._kind(1) == "name" else ""
        while self.at < len(self.words) and self._text(0) not in ("{", ";"):
            self.at += 1
        body: list[Word] = []
        if self._text(0) == "{":
            body = self._bracket()
            while self._text(0) == "__attribute__" and self._text(1) == "(":
                self.at += 1
                self._bracket()
            # `struct x { ... };` and `struct x { ... } y;`; bpftrace does not require the semicolon of the former
            while self._kind(0) == "name" and self._text(1) == ";":
                self.at += 1
        if self._text(0) == ";":
            self.at += 1
        elif self.at >= len(self.words) and not body:
            raise self._error(f"a {first.text} that does not end", first)
        self.definitions.append(
            Definition(first.text, f"{first.text} {name}".strip(), tuple(body), first.line)
        )

    def _function(self, kind: str) -> None:
        first = self.words[self.at]
        name = self._text(1)
        self.at += 2
        if self._text(0) != "(":
            raise self._error(f"'(' is missing after {kind} {name}", first)
        parameters = tuple(word.text for word in self._bracket() if word.kind == "name")
        while self.at < len(self.words) and self._text(0) != "{":
            self.at += 1
        if self.at >= len(self.words):
            raise self._error(f"{kind} {name} has no body", first)
        body = self._bracket()
        self.definitions.append(Definition(kind, name, tuple(body), first.line, parameters))

    # -- probes ----------------------------------------------------------------------------------------------------

    def _probe(self) -> None:
        first = self.words[self.at]
        points = self._points()
        predicate: list[Word] = []
        if self._text(0) == "/":
            predicate = self._predicate()
        if self._text(0) != "{":
            at = self.words[min(self.at, len(self.words) - 1)]
            raise self._error(f"'{{' is missing after the probe {points[-1].point.text}", at)
        self.probes.append(Probe(tuple(points), tuple(predicate), tuple(self._bracket()), first.line))

    def _predicate(self) -> list[Word]:
        """The words between `/` and the `/` before the body."""
        first = self.words[self.at]
        self.at += 1
        start = self.at
        while self.at < len(self.words):
            if self._text(0) == "/" and self._text(1) == "{":
                self.at += 1
                return self.words[start : self.at - 1]
            if self._text(0) in _PAIRS:
                if self._text(0) == "{":
                    break
                self._bracket()
            else:
                self.at += 1
        raise self._error("a predicate that begins here does not end: '/' is missing before '{'", first)

    def _points(self) -> list[Placed]:
        """The attach points of a clause, by their text: a path or a quoted name has words of its own."""
        found: list[Placed] = []
        while True:
            word = self.words[self.at]
            text, end = self._point_text(word)
            try:
                found.append(Placed(parse_point(text), word.line, word.column))
            except ParseError as error:
                raise self._error(error.message, word) from None
            while self.at < len(self.words) and self.words[self.at].start < end:
                self.at += 1
            if self._text(0) != ",":
                return found
            self.at += 1
            if self.at >= len(self.words):
                raise self._error("a probe is missing after this ','", self.words[-1])
            if self._text(0) == "{":
                return found  # a comma after the last is no error

    def _point_text(self, word: Word) -> tuple[str, int]:
        """An attach point as it is written, and where it ends."""
        at, quoted = word.start, False
        paths = re.match(r"(u|ur|U|uprobe|uretprobe|usdt)\s*:", self.source[at : at + 12]) is not None
        text = ""
        while at < len(self.source):
            character = self.source[at]
            if character == '"':
                quoted = not quoted
            elif not quoted and (character in ",{\n" or character.isspace()):
                rest = self.source[at:].lstrip(" \t") if character in " \t" and len(text) < 64 else ""
                # `kprobe : f` and `tracepoint:a: b` are written with spaces now and then
                if not (rest[:1] == ":" or (text.endswith(":") and rest[:1].strip())):
                    break
                at += 1
                continue
            elif not quoted and character == "/" and not paths:
                break
            text += character
            at += 1
        if not text:
            raise self._error(f"a probe is expected here, and not {word.text!a}", word)
        return text, at

    def _error(self, message: str, word: Word) -> ScriptError:
        return ScriptError(message, word.line, word.column)
