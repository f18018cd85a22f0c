"""What all commands share: options, usage errors, writing to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn, TypedDict

import typer

from kdiag.console import exits, output
from kdiag.console.terminal import Terminal
from kdiag.system.below import VARIABLE, is_root
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registry


class Settings(TypedDict, total=False):
    """What typer is told about a command besides its function."""

    context_settings: dict[str, object]


class CommandGroup(NamedTuple):
    """A command with commands of its own; alone: what it does without one; aliases: commands that
    the help does not list."""

    name: str
    help: str
    epilog: str
    alone: Callable[..., None]
    commands: tuple[tuple[str, Callable[..., None]], ...]
    aliases: tuple[tuple[str, Callable[..., None]], ...] = ()


Only = Annotated[
    list[str], typer.Option("--only", metavar="ID,...", help="Run these checks only (ids or globs).")
]
Skip = Annotated[
    list[str], typer.Option("--skip", metavar="ID,...", help="Leave these checks out (ids or globs).")
]
Require = Annotated[
    list[str],
    typer.Option(
        "--require",
        metavar="CAPABILITY,...",
        help="Capabilities that must work (default: a first session's).",
    ),
]
RequireFrom = Annotated[
    list[str],
    typer.Option(
        "--require-from",
        metavar="FILE",
        help="What this BPF object, program or script requires must be there (as `kdiag explain FILE` judges).",
    ),
]
Labels = Annotated[
    list[str],
    typer.Option(
        "--label",
        metavar="KEY=VALUE",
        help="Write it into the JSON report, to tell machines apart by: host=web-17 is this one's name.",
    ),
]
Profiles = Annotated[
    list[str],
    typer.Option(
        "--profile",
        metavar="PROFILE,...",
        help="What a well-known tool requires, or [profile.NAME] of kdiag.toml (`kdiag list` shows them).",
    ),
]
Tool = Annotated[
    list[str],
    typer.Option(
        "--tool", metavar="TOOL,...", help="bpftrace, bcc, libbpf or bpftool (default: what is installed)."
    ),
]
Color = Annotated[
    bool | None,
    typer.Option("--color/--no-color", help="Colours (default: on a terminal, without NO_COLOR)."),
]
Host = Annotated[
    str,
    typer.Option(
        "--host", metavar="DIR", help="Where this container sees its host's files (default: found by itself)."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="All findings, with every path tried.")]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Load only the built-in checks.")]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="text, line, json, markdown, html, junit, sarif, github, tap, prometheus or nagios.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="One line: the verdict and the next step (--format line).")
]
Outputs = Annotated[
    list[str],
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE (one per --format; - means stdout)."),
]


def fail(message: str, status: int = exits.USAGE) -> NoReturn:
    """End with a message for people on standard error."""
    output.error(message)
    raise typer.Exit(status)


def one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    """A usage error that names what there is, and the nearest."""
    if value not in known:
        hint = did_you_mean(value, known)
        fail(f"{option} is one of {', '.join(filter(None, known))}, not {value!r}{hint}")


def tool_names(values: list[str]) -> list[str]:
    """Names of tools out of `--tool`; another one is a usage error."""
    if not values:
        return []
    from kdiag.capabilities.tools import REQUIRED
    from kdiag.checking.selection import split

    names = split(values)
    for name in names:
        one_of("--tool", name, tuple(REQUIRED))
    return names


def seconds(value: float | None) -> float | None:
    """A usage error for what is no length of time: less than 0, without an end, not a number."""
    if value is not None and not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{value:g} is not a number of seconds, 0 or more")
    return value


def root_directory(path: str, option: str = "--root") -> None:
    """A usage error for a --root that is not a directory, or cannot be looked at."""
    if path == "/":
        return
    from kdiag.system.rooted import open_root

    try:
        os.close(open_root(path))
    except NotADirectoryError:
        fail(f"{option}: {path} is not a directory")
    except (OSError, ValueError) as error:
        fail(f"{option}: {path!r}: {error.strerror if isinstance(error, OSError) else error}")


def host_directory(asked: str, root: str = "/") -> str:
    """Where the host's files are, by --host or $KDIAG_HOST, as an absolute path; empty where neither says.

    A usage error for what is no other system's root, and for --host beside a --root, which has no host.
    """
    option, path = ("--host", asked) if asked else (f"${VARIABLE}", os.environ.get(VARIABLE, ""))
    if not path:
        return ""
    if root != "/":
        if asked:
            fail("--host is about this running machine, and --root examines files alone: use one of them")
        output.note(f"${VARIABLE} is not used: --root examines files alone")
        return ""
    from kdiag.system.rooted import Tree

    root_directory(path, option)
    if os.path.samefile(path, "/"):
        fail(f"{option}: {path} is this system's own root")
    files = Tree(path)

    def there(name: str) -> bool:
        with suppress(OSError):
            files.stat(name)
            return True
        return False

    if not is_root(there):
        fail(f"{option}: {path} is not the root of a system: it has no etc/os-release, or no usr/bin")
    return os.path.abspath(path)


def registry(*, plugins: bool) -> Registry:
    """All checks."""
    from kdiag.checking.registry import discover

    return discover(plugins=plugins)


def terminal(color: bool | None = None) -> Terminal:
    """What standard output can show."""
    return Terminal.of(sys.stdout, color)
