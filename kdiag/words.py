"""The words of every error message: what was found instead, and what was perhaps meant. Imports nothing of kdiag."""

from __future__ import annotations

from collections.abc import Iterable

#: How alike a name must be (difflib's ratio) to be offered: a letter or two apart, or half of a compound.
_ALIKE = 0.4
#: Digits or letters of a value that a message repeats.
_SHOWN = 40


def did_you_mean(name: str, known: Iterable[str], lead: str = "; ") -> str:
    """A hint at the known name that is nearest, with `lead` before it; empty if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=_ALIKE)
    return f"{lead}did you mean {near[0]}?" if near else ""


def found_instead(value: object) -> str:
    """A value of a document, in a word or two that are short and safe to print: `a list`, `'abc'`, `the number 3`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return ascii(value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "...")
    if (
        isinstance(value, int) and value.bit_length() > 256
    ):  # str() refuses 4,300 digits, and takes long for fewer
        return "a very large number"
    if isinstance(value, (int, float)):
        return f"the number {value!s:.{_SHOWN}}"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a date or time"
