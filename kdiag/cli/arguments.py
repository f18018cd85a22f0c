"""What a command takes: each parameter of its function says in its annotation what argparse shall know about it.

An option that is not given stays out: the function's own default counts. (typer read the same from annotations, at
the price of a third of a whole start: 37 ms against argparse's 3.)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn, get_type_hints

from kdiag.console import exits, output
from kdiag.words import did_you_mean


class Exit(Exception):
    """The command ends here, and all has been said."""

    def __init__(self, status: int = exits.READY) -> None:
        super().__init__(status)
        self.status = status


class Argument(NamedTuple):
    """An option by its names, or an argument without any; and what argparse's `add_argument` takes."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def option(*names: str, **settings: Any) -> Argument:
    """An annotation: this parameter is an option with these names."""
    return Argument(names, settings)


def flag(*names: str, **settings: Any) -> Argument:
    """An annotation: this parameter is an option without a value, False unless it is given."""
    return Argument(names, {"action": "store_true", **settings})


def argument(**settings: Any) -> Argument:
    """An annotation: this parameter has no option's name before it."""
    return Argument((), settings)


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Of a width that needs no look at the terminal: argparse makes a formatter for each option, with or without help,
    and imports shutil (2 ms) to look.
    """
    return argparse.HelpFormatter(prog, width=80)


class Parser(argparse.ArgumentParser):
    """argparse that neither prints nor exits: the console prints, and `Exit` ends the command."""

    def __init__(self, program: str, takes: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=program,
            usage=f"{program} [OPTIONS] {takes}".rstrip(),
            description=description,
            epilog=epilog,
            formatter_class=_formatter,
            add_help=False,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )
        self.color = False  # of Python 3.14: what is printed here has no colours

    def print_help(self, file: object = None) -> None:
        """Where the console prints."""
        del file
        output.text(self.format_help())

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """After the help."""
        del message
        raise Exit(status)

    def error(self, message: str) -> NoReturn:
        """A usage error: how the command is used, what is wrong."""
        output.usage(f"{self.format_usage()}Try '{self.prog} -h' for help.\n")
        output.error(message)
        raise Exit(exits.USAGE)

    def offer_help(self) -> None:
        """The option that every command has; last in its list."""
        self.add_argument("-h", "--help", action="help", help="Show this message and exit.")

    def values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The parameters that were given, by name; options and arguments in any order."""
        given, surplus = self.parse_known_intermixed_args(arguments)
        for one in surplus:
            near = did_you_mean(one, self._option_string_actions)
            self.error(
                f"no such option: {one}{near}" if one.startswith("-") else f"unexpected argument: {one}"
            )
        return vars(given)


def parser(program: str, function: Callable[..., int]) -> Parser:
    """The parser for the command that this function is."""
    takes = {
        name: hint.__metadata__[0]
        for name, hint in get_type_hints(function, include_extras=True).items()
        if name != "return"
    }
    wanted = " ".join(one.settings["metavar"] for one in takes.values() if not one.names)
    made = Parser(program, wanted, function.__doc__ or "")
    for name, one in takes.items():
        if one.names:
            made.add_argument(*one.names, dest=name, **one.settings)
        else:
            made.add_argument(name, **one.settings)
    made.offer_help()
    return made
