"""`--show-completion`, `--install-completion` and `__complete`: understood without typer, but for the last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from kdiag.completion.install import caller_shell, install
from kdiag.completion.shells import SHELLS, script
from kdiag.console import exits, output
from kdiag.console.called import name


def run(arguments: Sequence[str]) -> int:
    """Answer; the exit status."""
    option, *rest = arguments
    if option == "__complete":
        return _complete(rest)
    shell = rest[0] if rest else caller_shell(os.environ)
    if len(rest) > 1 or shell not in SHELLS:
        known = f"{', '.join(SHELLS[:-1])} or {SHELLS[-1]}"
        output.error(f"name the shell, {known}: kdiag {option} {SHELLS[0]}")
        return exits.USAGE
    if option == "--show-completion":
        output.document(script(shell, name()).encode())
        return exits.READY
    try:
        done = install(shell, os.environ, name())
    except OSError as error:
        place = str(error.filename or "")
        place = place if os.path.isabs(place) else "the completion below your home directory"
        output.error(f"cannot write {place}: {error.strerror or error}")
        return exits.FAILED
    output.text(f"Written: {done.script}\n")
    if done.start_file:
        output.text(f"It is read by {done.start_file}, which has a line for it.\n")
    output.text(f"A new {shell} completes {name()}.\n")
    return exits.READY


def _complete(arguments: Sequence[str]) -> int:
    """A defect or a machine that cannot be read must not write into the line that is being typed."""
    try:
        import_module("kdiag.cli.shell.completing").answer(arguments)
    except Exception:
        return exits.FAILED
    return exits.READY
