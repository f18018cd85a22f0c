"""`kdiag run`: a command with the variables of `kdiag env`, beside which kdiag stays, or which it becomes.

It costs what `kdiag env` costs: what says why a command failed is imported when one failed.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kdiag.commands.env import Answer, prepared
from kdiag.console import exits
from kdiag.console.child import NotPossible, end_by
from kdiag.console.relay import Ended, is_unseen, relayed
from kdiag.fix import environment as environ
from kdiag.trust.search import find

__all__ = ["NOT_STARTED", "Answer", "Command", "Ended", "become", "command", "end_by", "how", "watch"]

#: What the shell says of a command that cannot be started (POSIX, "Exit Status for Commands").
NOT_EXECUTABLE, NOT_FOUND = 126, 127
#: How a command ends that never began.
NOT_STARTED = "was not started"


class Command(NamedTuple):
    """What is run, and with which environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def command(argv: Sequence[str], bases: Sequence[Path] | None = None) -> Command:
    """The command with the right variables."""
    found = prepared(bases)
    environment = dict(os.environ)
    for name, value in environ.settings(environment, found.tree, found.btf, found.release).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return Command(tuple(argv), environment)


def become(what: Command) -> Answer:
    """Become the command. Returns only if it cannot be started, then as a shell would."""
    try:
        program = _program(what)
        # Python ignores these two, and what is ignored stays so across exec: `kdiag run -- yes | head` would not end.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, list(what.argv), dict(what.environment))  # noqa: S606  no shell is the point
    except (OSError, ValueError) as error:
        return _not_started(what, error)


def watch(what: Command) -> Ended | Answer:
    """Run the command with its standard error copied and kept; become it where that is not possible, or where nothing
    that could be said would be seen. An answer where it cannot be started.
    """
    if is_unseen():
        return become(what)
    try:
        return relayed(_program(what), what.argv, what.environment)
    except NotPossible:
        return become(what)
    except (OSError, ValueError) as error:
        return _not_started(what, error)


def how(ended: Ended) -> str:
    """How a command failed, in words; empty where it did not, was asked to stop, or lost its reader."""
    if ended.asked or not ended.status or ended.signal == signal.SIGPIPE:
        return ""
    if not ended.signal:
        return f"ended with status {ended.status}"
    return f"was ended by {signal.Signals(ended.signal).name}"


def _program(what: Command) -> str:
    """The command's file. Which command is the caller's own choice, as it is for env(1) and sudo(8): it is not judged.
    But it does not come from the current directory unless it is named so: an empty or relative part of PATH is passed
    over. Raises OSError, ValueError.
    """
    if not what.argv:
        raise ValueError
    name = what.argv[0]
    program = find(name, what.environment.get("PATH")) or name
    if "/" not in program and "\0" not in program:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return program


def _not_started(what: Command, error: OSError | ValueError) -> Answer:
    if not what.argv:
        return Answer("", exits.USAGE, "which command? kdiag run -- bpftrace -e '...'")
    name = what.argv[0]
    if isinstance(error, ValueError):
        return Answer("", NOT_EXECUTABLE, f"{name!a}: {error}")
    if "/" not in name and not _anywhere(name, what.environment):
        return Answer("", NOT_FOUND, f"{name}: command not found")
    missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
    return Answer("", NOT_FOUND if missing else NOT_EXECUTABLE, f"{name}: {os.strerror(error.errno or 0)}")


def _anywhere(name: str, environment: Mapping[str, str]) -> bool:
    """Whether PATH leads to a file of this name: a directory there that may not be searched gives EACCES as well."""
    places = environment.get("PATH", os.defpath).split(os.pathsep)
    return any(os.path.exists(os.path.join(place, name)) for place in places if place.startswith("/"))
