"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing here prints: the console does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from kdiag import __version__
from kdiag.cli.arguments import Exit, Parser, parser
from kdiag.console import exits, output, printable
from kdiag.words import did_you_mean

#: Which module has which command, in the order of the help text. Only the module that is asked for is imported.
_MODULES = {
    "check": ("check", "list", "explain", "schema"),
    "fix": ("fix", "smoke", "env", "run"),
    "reports": ("record", "compare", "report"),
}

_NAMES = tuple(name for names in _MODULES.values() for name in names)


def run(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; its exit status."""
    try:
        return _run(*arguments)
    except Exit as ended:
        return ended.status


def _run(asked: str = "", *rest: str) -> int:
    if asked == "--version":
        output.text(f"kdiag {__version__}\n")
        return exits.READY
    if asked in ("-h", "--help"):
        output.text(_overview().format_help())
        return exits.READY
    if not asked:
        output.usage(_overview().format_help())
        return exits.USAGE
    if asked not in _NAMES:
        if asked.startswith("-"):
            _overview().error(f"no such option: {asked}")
        _overview().error(f"no such command: {asked}{did_you_mean(asked, _NAMES)}")
    return _command(asked, rest)


def _command(name: str, rest: Sequence[str]) -> int:
    function = _function(name)
    known = parser(f"{program()} {name}", function)
    if name == "run" and rest and rest[0] not in ("-h", "--help"):
        # All of it is the other command's, options too; a -- before it only says so.
        command = rest[1:] if rest[0] == "--" else rest
        return function([*command]) if command else known.error("there is no command after --")
    return function(**known.values(rest))


def _function(name: str) -> Callable[..., int]:
    module = next(module for module, names in _MODULES.items() if name in names)
    found: Callable[..., int] = import_module(f"kdiag.cli.{module}").COMMANDS[name]
    return found


def _overview() -> Parser:
    """The help for all commands together."""
    made = Parser(
        program(),
        "COMMAND ...",
        "What can be traced with eBPF on this machine, why the rest cannot, and what to do about it.",
        "Exit status: 0 ready, 1 not ready or a regression, 2 usage, 3 cannot tell, 4 a fix or a smoke test failed, "
        "70 kdiag is broken.",
    )
    made.add_argument("--version", action="version", help="Show the version and exit.")
    made.offer_help()
    commands = made.add_argument_group("commands")
    for name in _NAMES:
        commands.add_argument(name, help=_function(name).__doc__)
    return made


def program() -> str:
    """How kdiag calls itself in its help."""
    name = os.path.basename(sys.argv[0])
    return "python -m kdiag" if name == "__main__.py" else printable.line(name)
