"""What calls and streams print, in C, C++, Go and Rust."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.support.message_sources.formats import plain, printf
from tests.support.message_sources.lexing import (
    Functions,
    Token,
    arguments,
    parts,
    until,
    without_comments,
)
from tests.support.message_sources.template import Template, lines


class Call(NamedTuple):
    """names: of what is called, as a pattern; form: of its conversions; first: what its first argument must be, as a
    pattern; stream: the text follows by `<<`; behind: what is printed behind the text.
    """

    names: str
    form: Callable[[str], str] = printf
    first: str = ""
    stream: bool = False
    behind: str = ""


class Stream(NamedTuple):
    """A name to which text is written by `<<`."""

    names: str


def read(text: str, path: str, language: str, known: Sequence[Call | Stream]) -> Iterator[Template]:
    """The messages in a file."""
    code = without_comments(text)
    functions = Functions(code, language)
    for one in known:
        pattern = rf"(?<![\w])(?:{one.names})" + (r"\s*(?=<<)" if isinstance(one, Stream) else r"\s*(?=\()")
        for found in re.finditer(pattern, code):
            if isinstance(one, Stream):
                texts = [_streamed(until(code, found.end()))]
            else:
                texts = list(_called(code, found.end(), one))
            for said in texts:
                yield from lines(said, path, functions.at(found.start()))


def _called(code: str, at: int, call: Call) -> Iterator[str]:
    given, end = arguments(code, at)
    if call.first and not re.fullmatch(call.first, "".join(token.value for token in given[0])):
        return
    if call.stream:
        if re.compile(r"\s*<<").match(code, end):
            yield _streamed(until(code, end))
        return
    for argument in given:
        if any(token.kind == "text" for token in argument):
            for choice in _choices(argument):
                yield _joined(choice, call.form) + call.behind
            return


def _choices(argument: list[Token]) -> Iterator[list[Token]]:
    """The texts between which `?:` decides."""
    asked, *rest = parts(argument, "?")
    if not rest:
        yield asked
        return
    for choice in rest:
        yield from (one for one in parts(choice, ":") if any(token.kind == "text" for token in one))


#: <inttypes.h>: what follows the percent sign.
_MACRO = re.compile(r"PRI([diouxX])\w+")


#: Around a text that is added to another: `std::string(...) +`.
_AROUND = ("(", ")", "std", "::", "string", "{", "}", "Twine", "llvm", "+")


def _joined(argument: list[Token], form: Callable[[str], str]) -> str:
    """Literals beside each other, and whatever is added to them."""
    said, other, depth = "", False, 0
    added = any(token.value == "+" for token in argument if token.kind == "sign")
    for token in argument:
        if token.kind == "sign":
            depth += (token.value in "([{") - (token.value in ")]}")
        if token.kind == "text":
            said += ("\0" if other else "") + token.value
            other = False
        elif (macro := _MACRO.fullmatch(token.value)) is not None:
            said += macro[1]
        elif added:
            other = other or token.value not in _AROUND
        elif said and depth == 0:
            other = other or token.kind == "name"
    return "%s".join(form(piece) for piece in (said + ("\0" if other and said else "")).split("\0"))


def _streamed(several: list[Token]) -> str:
    """What `<< a << b` writes."""
    said = ""
    for part in parts(several, "<<"):
        if not part:
            continue
        if all(token.kind == "text" for token in part):
            said += plain("".join(token.value for token in part))
        elif "".join(token.value for token in part).removeprefix("std::") == "endl":
            said += "\n"
        elif any(token.value == "+" for token in part) and any(token.kind == "text" for token in part):
            said += _joined(part, plain)
        else:
            said += "%s"
    return said
