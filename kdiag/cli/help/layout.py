"""Commands whose help the console prints: no summary is cut, what is used daily comes first, examples end it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from typer.core import TyperCommand, TyperGroup

from kdiag.console import output

if TYPE_CHECKING:
    import typer

    from kdiag.cli.help.examples import Example

#: The commands in the order of the help; one that is missing here comes last.
SECTIONS = (
    ("Every day", ("check", "why", "explain", "fix", "smoke")),
    ("Look up and learn", ("btf", "learn", "list")),
    ("With other programs", ("run", "env", "mcp", "schema")),
    ("Other machines, other days", ("record", "collector", "compare", "history", "report")),
)
_MORE = "More commands"


def _show_help(context: typer.Context, _option: object, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        output.text(f"{context.get_help()}\n")
        context.exit()


def _printed(option: Any) -> Any:
    if option is not None:
        option.callback = _show_help
    return option


def summary(command: Any) -> str:
    """The first paragraph of a command's help, whole."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def path_of(context: Any) -> tuple[str, ...]:
    """The words of a command after the program's name."""
    return () if context.parent is None else (*path_of(context.parent), context.info_name)


def examples(path: tuple[str, ...]) -> tuple[Example, ...]:
    """Those of a command."""
    every = import_module("kdiag.cli.help.examples").EXAMPLES
    return cast("tuple[Example, ...]", every.get(path, ()))


def sections(group: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
    """The commands of a group that are shown, in sections; those below another one's name are one section."""
    there = {name: command for name, command in group.commands.items() if not command.hidden}
    titled = SECTIONS if "check" in there else ()
    found = [(title, [(name, there.pop(name)) for name in names if name in there]) for title, names in titled]
    return [*found, (_MORE if titled else "Commands", list(there.items()))]


def _write_examples(context: Any, formatter: Any) -> None:
    path = path_of(context)
    lines = examples(path)
    if lines:
        with formatter.section("Examples"):
            for one in lines:
                formatter.write(f"{'':>{formatter.current_indent}}{one.line}\n")
                formatter.write(f"{'':>{formatter.current_indent}}    # {one.what}\n")


def _usage(argument: Any) -> str:
    """An argument in the line of usage: NAME, [NAME].

    Releases of typer differ in it: some print {NAME}, some no brackets.
    """
    words: str = argument.metavar or argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return words if argument.required or words.startswith("[") else f"[{words}]"


def _usage_pieces(command: Any, context: Any) -> list[str]:
    """What follows the name of a command in its line of usage."""
    arguments = (one for one in command.get_params(context) if one.param_type_name == "argument")
    return [command.options_metavar, *(_usage(one) for one in arguments if not one.hidden)]


def _format(command: Any, context: Any, formatter: Any) -> None:
    """click's own way: typer before 0.16 draws boxes where rich is installed."""
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    command.format_options(context, formatter)
    command.format_epilog(context, formatter)


class Command(TyperCommand):
    """A command."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Options and arguments."""
        return _usage_pieces(self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The whole help."""
        _format(self, ctx, formatter)

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """The option --help."""
        return _printed(super().get_help_option(ctx))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What comes last."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


class Group(TyperGroup):
    """A command with commands of its own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The whole help."""
        _format(self, ctx, formatter)

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """The option --help."""
        return _printed(super().get_help_option(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands, each with its whole summary."""
        del ctx
        titled = sections(self)
        width = max(len(name) for _, commands in titled for name, _ in commands)
        for title, commands in titled:
            if commands:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), summary(command)) for name, command in commands])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What comes last."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)
