"""The plain forms of `kdiag btf struct` and `func`, understood without typer: names, and `--module NAME`.

Anything else (help, another option, a value that is missing) is for `kdiag.cli.btf`, which describes the options; the
two call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable

from kdiag.commands import btf_here
from kdiag.console import output

_COMMANDS = ("struct", "union", "enum", "type", "func")


def run(arguments: list[str]) -> int | None:
    """Answer; the exit status, or None for arguments that are not plain."""
    plain = _plain(arguments)
    if plain is None:
        return None
    module, names = plain
    if arguments[0] == "func":
        return (
            answered(lambda: btf_here.function_text(btf_here.here(), module, names[0]))
            if len(names) == 1
            else None
        )
    return answered(lambda: btf_here.type_text(btf_here.here(), module, names[0], names[1:]))


def answered(ask: Callable[[], btf_here.Answer]) -> int:
    """Print an answer, or why there is none; the exit status."""
    try:
        answer = ask()
    except btf_here.CannotAnswer as none:
        output.error(str(none))
        return none.status
    output.rendering(answer.words, exact=answer.exact)
    return answer.status


def _plain(arguments: list[str]) -> tuple[str, list[str]] | None:
    """The module and the names; None if there is anything else, or no name."""
    if not arguments or arguments[0] not in _COMMANDS:
        return None
    module, names = "", []
    rest = iter(arguments[1:])
    for word in rest:
        option, equals, value = word.partition("=")
        if option == "--module" and not module:
            module = value if equals else next(rest, "")
            if not module:
                return None
        elif word.startswith("-") or not word:
            return None
        else:
            names.append(word)
    return (module, names) if names else None
