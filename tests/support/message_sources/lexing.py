"""C, C++, Go and Rust as tokens, as far as a call's arguments can be told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.support.message_sources.formats import unescaped

Kind = Literal["text", "name", "sign"]


class Token(NamedTuple):
    """value: of a text what it says, else as it is written; begin, end: where it stands."""

    kind: Kind
    value: str
    begin: int
    end: int


_COMMENT = re.compile(
    r"""R"(?P<delimiter>[^(\s]{0,16})\((?:.*?)\)(?P=delimiter)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n]){1,4}'|`[^`]*`|//[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""R"(?P<delimiter>[^(\s]{0,16})\((?P<raw>.*?)\)(?P=delimiter)"|\br(?P<hashes>\#*)"(?P<rust>.*?)"(?P=hashes)|"(?P<text>(?:\\.|[^"\\])*)"|`(?P<ticks>[^`]*)`|'(?:\\.|[^'\\\n])+'|(?P<name>[A-Za-z_]\w*)|(?P<sign><<|::|->|[^\s\w])|\d[\w.]*""",
    re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"


def without_comments(text: str) -> str:
    """The same text, with blanks where comments are, so that places stay."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0]) if found[0].startswith(("//", "/*")) else found[0]

    return _COMMENT.sub(blank, text)


def tokens(text: str, at: int) -> Iterator[Token]:
    """From a place on."""
    for found in _TOKEN.finditer(text, at):
        begin, end = found.span()
        if (quoted := found["text"]) is not None:
            yield Token("text", unescaped(quoted), begin, end)
        elif (raw := found["raw"] or found["rust"] or found["ticks"]) is not None:
            yield Token("text", raw, begin, end)
        elif found["name"] is not None:
            yield Token("name", found["name"], begin, end)
        else:
            yield Token("sign", found[0], begin, end)


def arguments(text: str, at: int) -> tuple[list[list[Token]], int]:
    """The arguments of a call whose opening bracket stands at a place, and where it ends."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens(text, at):
        if token.kind == "sign" and token.value in _OPENING:
            depth += 1
            if depth == 1:
                continue
        elif token.kind == "sign" and token.value in _CLOSING:
            depth -= 1
            if depth == 0:
                return found, token.end
        if depth == 1 and token.value == "," and token.kind == "sign":
            found.append([])
        else:
            found[-1].append(token)
    return found, len(text)


def until(text: str, at: int, end: str = ";") -> list[Token]:
    """The tokens from a place up to a sign outside of brackets, or to the bracket that closes what is around."""
    found: list[Token] = []
    depth = 0
    for token in tokens(text, at):
        if token.kind == "sign":
            if token.value in _OPENING:
                depth += 1
            elif token.value in _CLOSING:
                depth -= 1
            if depth < 0 or (depth == 0 and token.value == end):
                break
        found.append(token)
    return found


def parts(several: list[Token], sign: str) -> list[list[Token]]:
    """Tokens divided by a sign outside of brackets."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in several:
        if token.kind == "sign":
            depth += (token.value in _OPENING) - (token.value in _CLOSING)
            if depth == 0 and token.value == sign:
                found.append([])
                continue
        found[-1].append(token)
    return found


#: The first line of a function's definition. C and C++: it begins in the first column.
_FUNCTION = {
    "c": re.compile(r"^(?:[A-Za-z][^;#=()\n]*[\s*&])?(?P<name>[\w:~]+)\([^;]*?\{", re.MULTILINE),
    "go": re.compile(r"^func (?:\([^)]*\) ?)?(?P<name>\w+)", re.MULTILINE),
    "rust": re.compile(r"\bfn (?P<name>\w+)|\benum (?P<enum>\w+)"),
}


class Functions:
    """Which function a place is in."""

    def __init__(self, text: str, language: str) -> None:
        self._known = [
            (found.start(), found["name"] or found["enum"] if language == "rust" else found["name"])
            for found in _FUNCTION[language].finditer(text)
        ]

    def at(self, place: int) -> str:
        """Its name, empty outside of all."""
        name = ""
        for begin, known in self._known:
            if begin > place:
                break
            name = known
        return name
