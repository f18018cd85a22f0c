"""`kdiag env` prints the variables that lead tools to what was prepared; `kdiag run` starts a command with them.

Both are typed often and must cost nothing: neither the checks nor the facts are imported here.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kdiag.console import exits, printable
from kdiag.fix import environment as environ
from kdiag.fix.store import trees as store
from kdiag.machine.kernel import source_arch_of
from kdiag.trust.search import find


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


#: What the shell says of a command that cannot be started (POSIX, "Exit Status for Commands").
NOT_EXECUTABLE, NOT_FOUND = 126, 127


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


def run(argv: Sequence[str], bases: Sequence[Path] | None = None) -> Answer:
    """Become the command, with the right variables. Returns only if it cannot be started, then as a shell would.

    Which command is the caller's own choice, as it is for env(1) and sudo(8): it is not judged. But it does not come
    from the current directory unless it is named so: an empty or relative part of PATH is passed over.
    """
    if not argv:
        return Answer("", exits.USAGE, "which command? kdiag run -- bpftrace -e '...'")
    found = prepared(bases)
    environment = dict(os.environ)
    for name, value in environ.settings(environment, found.tree, found.btf, found.release).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    # Python ignores these two, and what is ignored stays so across exec: `kdiag run -- yes | head` would not end.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        program = find(argv[0], environment.get("PATH")) or argv[0]
        if "/" not in program and "\0" not in program:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        os.execve(program, list(argv), environment)  # noqa: S606  no shell is the point
    except ValueError as error:
        return Answer("", NOT_EXECUTABLE, f"{argv[0]!a}: {error}")
    except OSError as error:
        if "/" not in argv[0] and not _anywhere(argv[0], environment):
            return Answer("", NOT_FOUND, f"{argv[0]}: command not found")
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        text = os.strerror(error.errno or 0)
        return Answer("", NOT_FOUND if missing else NOT_EXECUTABLE, f"{argv[0]}: {text}")


def _anywhere(name: str, environment: Mapping[str, str]) -> bool:
    """Whether PATH leads to a file of this name: a directory there that may not be searched gives EACCES as well."""
    places = environment.get("PATH", os.defpath).split(os.pathsep)
    return any(os.path.exists(os.path.join(place, name)) for place in places if place.startswith("/"))
