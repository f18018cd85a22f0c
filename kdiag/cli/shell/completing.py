"""`kdiag __complete`, which shells call when Tab is pressed; `--show-completion` and `--install-completion`.

What can stand where is read off the command line's own definition, so that a new option is completed when it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import typer

from kdiag.cli.app import application
from kdiag.completion.kinds import offer
from kdiag.completion.line import split, unquoted
from kdiag.completion.value import Candidate, Offer
from kdiag.console import output, printable

#: A line of help beside a candidate.
_LONGEST = 70


class _Place(NamedTuple):
    """Where a word stands. command: whose; awaiting: the option whose value it is; values: the arguments before it;
    begun: whether what comes is another command's line.
    """

    command: Any
    awaiting: Any
    values: tuple[str, ...]
    options_end: bool
    begun: int


def answer(arguments: Sequence[str]) -> None:
    """Print what is offered: a line for the shell, then the candidates, each with its help behind a tab.

    arguments: the shell; then bash's line and what it breaks words at, or the words of the others.
    """
    shell, *rest = arguments
    cut = 0
    if shell == "bash":
        line = split(rest[0])
        words, start = line.words, line.start
        if not line.quoted:
            cut = max((start.rfind(sign) + 1 for sign in rest[1]), default=0)
    else:
        *most, last = rest
        words, start = tuple(most), unquoted(last)
    found = offered(words[1:], start)
    more = "open" if any(one.open for one in found.candidates) else "closed"
    rows = (
        f"{printable.line(one.word[cut:])}\t{printable.line(_short(one.help))}\n" for one in found.candidates
    )
    output.document("".join((f"{found.shell} {found.before + 1} {more}\n", *rows)).encode())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3].rstrip()}..."


def offered(words: Sequence[str], start: str) -> Offer:
    """What may stand behind these words, and begins so."""
    command = typer.main.get_command(application(list(words[:1])))
    place = _walk(command, words)
    if place.begun:
        return Offer((), "command", place.begun)
    if place.awaiting is not None:
        return offer(place.awaiting.metavar or "", start, place.values)
    if start.startswith("-") and not place.options_end:
        name, equals, value = start.partition("=")
        if not equals:
            return Offer(tuple(_options(place.command, start, words)))
        option = _option(place.command, name)
        if option is None or option.is_flag:
            return Offer()
        found = offer(option.metavar or "", value, place.values)
        return found._replace(
            candidates=tuple(one._replace(word=f"{name}={one.word}") for one in found.candidates)
        )
    if hasattr(place.command, "commands"):
        return Offer(tuple(_commands(place.command, start)))
    return _argument(place, start, len(words))


def _walk(command: Any, words: Sequence[str]) -> _Place:
    awaiting, ended = None, False
    values: tuple[str, ...] = ()
    for number, word in enumerate(words):
        if awaiting is not None:
            awaiting = None
        elif word == "--" and not ended:
            ended = True
        elif word.startswith("-") and len(word) > 1 and not ended:
            name, equals, _ = word.partition("=")
            option = _option(command, name)
            awaiting = option if option is not None and not option.is_flag and not equals else None
        elif hasattr(command, "commands"):
            command = command.commands.get(word, command)
        elif _runs_another(command):
            return _Place(command, None, values, ended, number)
        else:
            values = (*values, word)
    return _Place(command, awaiting, values, ended, 0)


def _runs_another(command: Any) -> bool:
    return not command.context_settings.get("allow_interspersed_args", True)


def _option(command: Any, name: str) -> Any:
    """The option of this name: `-o`, `--output`, `--no-color`."""
    return next(
        (
            one
            for one in command.params
            if one.param_type_name == "option" and name in (*one.opts, *one.secondary_opts)
        ),
        None,
    )


def _options(command: Any, start: str, words: Sequence[str]) -> Iterator[Candidate]:
    """Those that may come now, each with its help; one that was given and comes once is left out."""
    with suppress(AttributeError):
        context = typer.Context(command)
        for one in command.get_params(context):
            if one.param_type_name != "option" or one.hidden:
                continue
            if not one.multiple and {*one.opts, *one.secondary_opts} & {*words}:
                continue
            for name in (*one.opts, *one.secondary_opts):
                if name.startswith(start) and (len(name) > 2 or start != "--"):
                    yield Candidate(name, one.help or "")


def _commands(group: Any, start: str) -> Iterator[Candidate]:
    for name, command in group.commands.items():
        if name.startswith(start) and not command.hidden:
            yield Candidate(name, command.get_short_help_str(200))


def _argument(place: _Place, start: str, count: int) -> Offer:
    """The next argument's values; the last one may come often."""
    arguments = [one for one in place.command.params if one.param_type_name == "argument"]
    if not arguments:
        return Offer()
    at = min(len(place.values), len(arguments) - 1)
    if at < len(place.values) and arguments[at].nargs != -1:
        return Offer()
    if _runs_another(place.command):
        return Offer((), "command", count)
    return offer(arguments[at].metavar or "", start, place.values)
