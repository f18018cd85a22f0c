"""What a configuration file says, as values, and what is wrong with one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.config.waivers import Waiver

NAME = "kdiag.toml"
PYPROJECT = "pyproject.toml"
#: Bytes. A file of a hundred waivers has 20 kB.
LONGEST = 256 * 1024


class ConfigError(ValueError):
    """A file that cannot be used: the message begins with `FILE:`, where it is no TOML with `FILE:LINE:`."""

    def __init__(self, path: str, line: int | None, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}" if line is not None else f"{path}: {message}")
        self.path = path
        self.line = line
        self.message = message


class TooLong(ConfigError):
    """A file of more than LONGEST bytes."""

    def __init__(self, path: str) -> None:
        super().__init__(path, None, f"longer than {LONGEST // 1024} KiB")


class Refused(ConfigError):
    """A file that another user could have written."""

    def __init__(self, path: str, why: str) -> None:
        message = (
            f"not used, because {why}{_owner(path)}; run kdiag as its owner, make it yours alone (chown, chmod"
            f" go-w), or hand it over yourself: --config /dev/stdin <{os.path.basename(path)}"
        )
        super().__init__(path, None, message)


def _owner(path: str) -> str:
    """The name of a file's owner, in parentheses, "" if it has none."""
    import pwd

    try:
        return f" (the file is {pwd.getpwuid(os.stat(path).st_uid).pw_name}'s)"
    except (OSError, KeyError):
        return ""


class Named(NamedTuple):
    """A name in the file that has to exist.

    kind: `capability`, `tool`, `check` or `finding`; of a profile `map`, `program`, `helper` or `privilege`, too.
    place: `waiver 2, finding`.
    """

    kind: str
    name: str
    place: str


class OwnProfile(NamedTuple):
    """[profile.NAME]: what a project requires. requires: (kind, name); the kinds are `capability` (kdiag's),
    `privilege` (CAP_BPF), `map`, `program`, `helper` and `option`.
    """

    name: str
    title: str
    requires: tuple[tuple[str, str], ...]


class Config(NamedTuple):
    """What a file says; None and empty where it says nothing. baseline: resolved from the file's directory."""

    path: str = ""
    require: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    verbose: bool | None = None
    color: bool | None = None
    plugins: bool | None = None
    format: str | None = None
    baseline: str | None = None
    waivers: tuple[Waiver, ...] = ()
    names: tuple[Named, ...] = ()
    profiles: tuple[OwnProfile, ...] = ()
