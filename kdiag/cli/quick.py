"""The plain forms of `kdiag btf struct` and `func`, understood without typer: names, and options with their values.

Anything else (help, an option that is not known, a value that is missing) is for `kdiag.cli.btf`, which describes the
options; the two call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable

from kdiag.commands import btf
from kdiag.console import output

_OPTIONS = {
    "--from": "recording",
    "--file": "file",
    "--base": "base",
    "--module": "module",
    "--format": "format",
}
_DEFAULTS = (("recording", ""), ("file", ""), ("base", ""), ("module", ""), ("format", "text"))
_TYPES = ("struct", "union", "enum", "type")


def run(arguments: list[str]) -> int | None:
    """Answer; the exit status, or None for arguments that are not plain."""
    plain = _plain(arguments)
    if plain is None:
        return None
    command, names, asked = plain
    if command == "func":
        if len(names) != 1 or asked.format not in btf.FORMATS:
            return None
        return answered(lambda: btf.show_function(asked, names[0]))
    if not names or asked.format not in btf.TYPE_FORMATS:
        return None
    return answered(lambda: btf.show_type(asked, names[0], names[1:]))


def answered(ask: Callable[[], btf.Answer]) -> int:
    """Print an answer, or why there is none; the exit status."""
    try:
        answer = ask()
    except btf.CannotAnswer as none:
        output.error(str(none))
        return none.status
    output.rendering(answer.words, exact=answer.exact)
    return answer.status


def _plain(arguments: list[str]) -> tuple[str, list[str], btf.Asked] | None:
    if not arguments or arguments[0] not in (*_TYPES, "func"):
        return None
    names: list[str] = []
    given: dict[str, str] = {}
    rest = iter(arguments[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _OPTIONS:
            taken = value if equals else next(rest, None)
            if taken is None or _OPTIONS[name] in given:
                return None
            given[_OPTIONS[name]] = taken
        elif word.startswith("-") or not word:
            return None
        else:
            names.append(word)
    return arguments[0], names, btf.Asked(*(given.get(name, default) for name, default in _DEFAULTS))
