"""`kdiag btf` and its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kdiag.cli.common import CommandGroup, Settings, one_of, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.commands.btf_here import Answer

From = Annotated[
    str, typer.Option("--from", metavar="FILE|DIR", help="The kernel of a recording, not this one.")
]
File = Annotated[
    str, typer.Option("--file", metavar="FILE", help="Bare BTF, or an ELF file with a .BTF section.")
]
Base = Annotated[
    str, typer.Option("--base", metavar="FILE", help="What the split BTF of --file is on top of.")
]
Module = Annotated[
    str, typer.Option("--module", metavar="MODULE", help="Look in this module (default: all, if need be).")
]
Format = Annotated[str, typer.Option("--format", metavar="text|json", help="How to print it.")]
TypeFormat = Annotated[
    str, typer.Option("--format", metavar="text|c|json", help="With offsets, as C to compile, or as JSON.")
]


def struct(  # noqa: PLR0913, PLR0917  a parameter is an option
    name: Annotated[str, typer.Argument(metavar="TYPE", help="A struct, union, enum or typedef.")],
    members: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MEMBER]...", help="Say only where these lie: se.vruntime, comm[3], mm.pgd."),
    ] = None,
    recording: From = "",
    file: File = "",
    base: Base = "",
    module: Module = "",
    output_format: TypeFormat = "text",
) -> None:
    """Show a struct, union, enum or typedef: as C with offsets and holes, or where members of it lie.

    The words union, enum and type in the place of struct do the same.

    Exit status: 0 shown, 1 there is no such type or member, 2 usage, 3 the BTF cannot be read.
    """
    from kdiag.commands import btf

    one_of("--format", output_format, btf.TYPE_FORMATS)
    asked = btf.Asked(recording, file, base, module, output_format)
    _end(lambda: btf.show_type(asked, name, members or []))


def func(  # noqa: PLR0913, PLR0917
    name: Annotated[str, typer.Argument(metavar="FUNCTION", help="A function of the kernel or of a module.")],
    recording: From = "",
    file: File = "",
    base: Base = "",
    module: Module = "",
    output_format: Format = "text",
) -> None:
    """Show the prototype of a function, and which module has it.

    Exit status: 0 shown, 1 there is no such function in the BTF, 2 usage, 3 the BTF cannot be read.
    """
    from kdiag.commands import btf

    one_of("--format", output_format, btf.FORMATS)
    asked = btf.Asked(recording, file, base, module, output_format)
    _end(lambda: btf.show_function(asked, name))


def find(  # noqa: PLR0913, PLR0917
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="A glob: '*', '?' and '[abc]'; quote it.")
    ],
    kind: Annotated[
        str,
        typer.Option("--kind", metavar="KIND,...", help="struct, union, enum, typedef, func, var, int, fwd."),
    ] = "",
    recording: From = "",
    file: File = "",
    base: Base = "",
    module: Module = "",
    output_format: Format = "text",
) -> None:
    """List the types and functions whose names match a pattern.

    Exit status: 0 something matches, 1 nothing does, 2 usage, 3 the BTF cannot be read.
    """
    from kdiag.commands import btf

    one_of("--format", output_format, btf.FORMATS)
    asked = btf.Asked(recording, file, base, module, output_format)
    _end(lambda: btf.find(asked, pattern, kind))


def diff(  # noqa: PLR0913, PLR0917
    first: Annotated[
        str, typer.Argument(metavar="A", help="A recording, a file with BTF, or here: the running kernel.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TYPE]...", help="Compare these structs and unions only."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All structs and unions, not only those that tracing tools read.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List members that only lie elsewhere, too.")
    ] = False,
    output_format: Format = "text",
) -> None:
    """Show what changed between two kernels in the structs that tracing tools read.

    Exit status: 0 nothing changed, 1 something did, 2 usage, 3 the BTF cannot be read.
    """
    from kdiag.commands import btf, btf_whole

    one_of("--format", output_format, btf.FORMATS)
    how = btf_whole.How(every, verbose, terminal().width)
    _end(lambda: btf_whole.show_diff((first, second), names or [], output_format, how))


def alone(  # noqa: PLR0913, PLR0917
    context: typer.Context,
    recording: From = "",
    file: File = "",
    base: Base = "",
    dwarf: Annotated[
        str, typer.Option("--dwarf", metavar="FILE", help="The same kernel's debug information (vmlinux).")
    ] = "",
    output_format: Format = "text",
) -> None:
    """Show what the kernel's type information (BTF) takes; its commands say what is in it."""
    if context.invoked_subcommand is not None:
        if (recording, file, base, dwarf, output_format) != ("", "", "", "", "text"):
            context.fail(
                f"options come after the command: kdiag btf {context.invoked_subcommand} ... --file FILE"
            )
        return
    from kdiag.commands import btf, btf_whole

    one_of("--format", output_format, btf.FORMATS)
    asked = btf.Asked(recording, file, base, "", output_format)
    _end(lambda: btf_whole.show_sizes(asked, dwarf, terminal().width))


def _end(ask: Callable[[], Answer]) -> NoReturn:
    """Print the answer, or why there is none, and end."""
    from kdiag.cli.quick import answered

    raise typer.Exit(answered(ask))


GROUP = CommandGroup(
    "btf",
    "Show what the kernel's type information (BTF) says of structs and functions.\n\n"
    "Without a command: how many types there are, and how many bytes they take.",
    "Exit status: 0 answered, 1 there is no such thing or (diff) something changed, 2 usage, 3 the BTF cannot be read.",
    alone,
    (("struct", struct), ("func", func), ("find", find), ("diff", diff)),
    (("union", struct), ("enum", struct), ("type", struct)),
)
COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = ()
