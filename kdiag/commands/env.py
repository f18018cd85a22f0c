"""`kdiag env` prints the variables that lead tools to what was prepared.

It is typed often, as is `kdiag run` (`commands.run`), and must cost nothing: neither the checks nor the facts are
imported here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kdiag.console import exits, printable
from kdiag.fix import environment as environ
from kdiag.fix.errors import FixError
from kdiag.fix.store import trees as store
from kdiag.machine.kernel import source_arch_of

__all__ = ["Answer", "FixError", "Prepared", "env", "prepared"]


class Answer(NamedTuple):
    """For standard output, the exit status, and for standard error ("" for nothing)."""

    text: str
    status: int
    note: str


class Prepared(NamedTuple):
    """What there is for the running kernel."""

    release: str
    tree: Path | None
    btf: Path | None


def prepared(bases: Sequence[Path] | None = None) -> Prepared:
    """Look for a sound tree and BTF for the running kernel in `bases`, by default in the store's own."""
    if bases is None:
        bases = store.bases(os.geteuid(), os.environ)
    kernel = os.uname()
    srcarch = source_arch_of(kernel.machine)
    tree = None
    if srcarch is not None:
        from kdiag.fix.existing import elsewhere

        tree = store.find(kernel.release, srcarch, bases) or elsewhere(kernel.release, srcarch)
    return Prepared(kernel.release, tree, _btf(kernel.release, tuple(base.parent / "btf" for base in bases)))


def _btf(release: str, directories: tuple[Path, ...]) -> Path | None:
    if not any(map(os.path.isdir, directories)):
        return None
    from kdiag.fix.btf_sources import in_store

    return in_store(release, directories)


def env(
    shell: str | None, bases: Sequence[Path] | None = None, variables: Mapping[str, str] | None = None
) -> Answer:
    """The text for `eval "$(kdiag env)"`: what to set, and which wrong variables to unset.

    shell: one of environ.FORMATS, None for that of $SHELL. Status 0 if tools are led to headers or BTF, or find them
    by themselves; 1 if nothing is prepared. Raises FixError for a path that cannot be written in that format.
    """
    current = os.environ if variables is None else variables
    shell = shell or environ.shell_of(current.get("SHELL", ""))
    found = prepared(bases)
    changes = environ.settings(current, found.tree, found.btf, found.release)
    notes = _notes(current, changes, found.release, shell)
    text = environ.render(changes, shell)
    if found.tree or found.btf:
        return Answer(text, exits.READY, _lines(notes))
    without = _without(current, changes, found.release)
    notes.append(
        without or f"no headers are prepared for {found.release}: `kdiag fix` does it where it can be done"
    )
    return Answer(
        text or environ.comment(f"nothing to set: {notes[-1]}", shell),
        exits.READY if without else exits.NOT_READY,
        _lines(notes),
    )


def _lines(notes: Sequence[str]) -> str:
    return "\n".join(map(printable.line, notes))


def _notes(
    current: Mapping[str, str], changes: Mapping[str, str | None], release: str, shell: str
) -> list[str]:
    """What is said about variables that are set and wrong."""
    notes = []
    for name in changes:
        if name in current and (why := environ.problem(name, current[name], release)):
            what = "replaced" if changes[name] else "unset"
            if what == "unset" and shell == "github":
                what = "to be removed from the workflow: GITHUB_ENV cannot unset it"
            notes.append(f"{name} is wrong ({why}) and {what}")
    return notes


def _without(current: Mapping[str, str], changes: Mapping[str, str | None], release: str) -> str:
    """Why nothing needs to be prepared, "" if it is not so."""
    if environ.SOURCE in current and environ.SOURCE not in changes:
        return f"{environ.SOURCE} is right as it is"
    for name in ("build", "source"):
        if os.path.exists(f"/lib/modules/{release}/{name}/include/linux/kconfig.h"):
            return f"tools find the headers in /lib/modules/{release}/{name} by themselves"
    return ""
