"""Which format goes where: `--format X -o FILE` pairs, several of which cost one run.

The rules:
- nothing given: text to standard output;
- one --format and no -o: to standard output;
- as many --format as -o: the first goes to the first, the second to the second, and so on;
- -o without any --format: the name of each file says its format (.html, .json, .xml, .sarif, ...);
- `-o -` is standard output, for one of them at most;
- --quiet is one line there, beside files.
Everything else is refused: an option parser does not tell which --format an -o stood beside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.console import output as console
from kdiag.report.formats import FORMATS, Options, UnknownFormat, named, of_path, render_as
from kdiag.report.write import WriteError, write_atomically

if TYPE_CHECKING:
    from kdiag.model import Report

STDOUT = "-"


class BadOutputs(ValueError):
    """Formats and files that do not go together; the message says what to type instead."""


class Output(NamedTuple):
    """One document to write: a format's name, and a path or `-`."""

    format: str
    path: str = STDOUT


def plan(formats: Sequence[str], outputs: Sequence[str], *, quiet: bool = False) -> list[Output]:
    """Pair formats and files as the rules above say. Raises BadOutputs, before anything is examined."""
    try:
        names = [named(name).name for name in formats]
    except UnknownFormat as error:
        raise BadOutputs(f"--format: {error}") from None
    paired = _paired(names, outputs) if names or outputs or not quiet else []
    if quiet:
        if any(output.path == STDOUT for output in paired):
            raise BadOutputs(
                "--quiet is one line on standard output: give each --format an -o FILE, or leave it out"
            )
        paired = [Output("line"), *paired]
    _each_once([os.path.realpath(o.path) if o.path != STDOUT else STDOUT for o in paired])
    for output in paired:
        _writable(output.path)
    return paired


def _paired(names: list[str], outputs: Sequence[str]) -> list[Output]:
    if not outputs:
        if len(names) > 1:
            raise BadOutputs(
                f"{len(names)} formats and nowhere to put them: give each --format an -o FILE, in the same order"
                " (-o - is standard output)"
            )
        return [Output(names[0] if names else "text")]
    if not names:
        return [Output(_guessed(path), path) for path in outputs]
    if len(names) != len(outputs):
        raise BadOutputs(
            f"{len(names)} x --format and {len(outputs)} x -o do not pair: give each --format its -o, in the same"
            " order (-o - is standard output)"
        )
    return [Output(name, path) for name, path in zip(names, outputs, strict=True)]


def _guessed(path: str) -> str:
    if path == STDOUT:
        return "text"
    name = of_path(path)
    if name is None:
        suffixes = ", ".join(suffix for f in FORMATS.values() for suffix in f.suffixes)
        raise BadOutputs(f"-o {path}: the name does not show the format ({suffixes}): set it with --format")
    return name


def _each_once(paths: list[str]) -> None:
    for path in paths:
        if paths.count(path) > 1 and not path.startswith("/dev/"):
            where = "standard output" if path == STDOUT else path
            raise BadOutputs(f"-o: two documents would go to {where}")


def _writable(path: str) -> None:
    """What is certain to fail is refused before the run, not after it."""
    if path == STDOUT:
        return
    if not path:
        raise BadOutputs("-o: an empty file name")
    if os.path.isdir(path):
        raise BadOutputs(f"-o {path}: this is a directory; name a file in it")
    parent = os.path.dirname(path) or "."
    if not os.path.isdir(parent):
        raise BadOutputs(f"-o {path}: there is no directory {parent}")


def emit(report: Report, outputs: Sequence[Output], options: Options | None = None) -> None:
    """Render everything, then write the files, then standard output. Raises WriteError for the first file that
    could not be written, after the others were; CannotWrite where standard output takes no more.
    """
    options = options or Options()
    rendered = [(output, render_as(output.format, report, _for(output, options))) for output in outputs]
    failed: WriteError | None = None
    for output, text in rendered:
        if output.path != STDOUT:
            try:
                write_atomically(output.path, text)
            except WriteError as error:
                failed = failed or error
    for output, text in rendered:
        if output.path == STDOUT:
            console.rendering(text, exact=FORMATS[output.format].utf8, color=options.color)
    if failed is not None:
        raise failed


def _for(output: Output, options: Options) -> Options:
    """Text that goes into a file has no colours and all characters."""
    if output.path == STDOUT:
        return options
    return options._replace(color=False, unicode=True)
