"""The conversions of several languages as two: `%d` for a number, `%s` for anything else."""

from __future__ import annotations

import re

_PRINTF = re.compile(
    r"%%|%(?:\d+\$)?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:hh|h|ll|l|z|j|t|L|q)?(?P<kind>[a-zA-Z])"
)
_KERNEL = re.compile(r"%p[KFSBRIUVhexdsbt0-9c4]*")
_GO = re.compile(r"%%|%[-+# 0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:\[\d+\])?(?P<kind>[a-zA-Z])")
_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
_NUMBERS = frozenset("diuxXob")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{1,2}|u\{[0-9a-fA-F]+\}|[0-7]{1,3}|\n\s*|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": " ", "r": "", '"': '"', "'": "'", "\\": "\\", "0": ""}


def printf(text: str) -> str:
    """The C library's, the kernel's, and Python's `%`."""
    return _printf(_KERNEL.sub("%s", text), _PRINTF)


def go(text: str) -> str:
    """Those of Go's fmt."""
    return _printf(text, _GO)


def _printf(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(
        lambda found: found[0] if found[0] == "%%" else "%d" if found["kind"] in _NUMBERS else "%s", text
    )


def braces(text: str) -> str:
    """`{}` of Rust, of Python and of C++20."""
    return _BRACES.sub(
        lambda found: found[0][0] if len(set(found[0])) == 1 and found[0][0] in "{}" else "%s",
        text.replace("%", "%%"),
    )


def plain(text: str) -> str:
    """A text without conversions."""
    return text.replace("%", "%%")


def unescaped(literal: str) -> str:
    """What stands between the quotes of a literal."""
    return _ESCAPE.sub(lambda found: "" if found[0][1] in "xu\n" else _ESCAPED.get(found[0][1], ""), literal)
