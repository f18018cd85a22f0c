"""What a configuration file says, as values, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.config.waivers import Waiver

NAME = "kdiag.toml"
PYPROJECT = "pyproject.toml"


class ConfigError(ValueError):
    """A file that cannot be used: the message begins with `FILE:LINE:`, or `FILE:` where it is about all of it."""

    def __init__(self, path: str, line: int | None, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}" if line is not None else f"{path}: {message}")
        self.path = path
        self.line = line
        self.message = message


class Named(NamedTuple):
    """A name in the file that has to exist. kind: `capability`, `check` or `finding`."""

    kind: str
    name: str
    line: int


class Config(NamedTuple):
    """What a file says; None and empty where it says nothing. baseline: resolved from the file's directory."""

    path: str = ""
    require: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    verbose: bool | None = None
    color: bool | None = None
    plugins: bool | None = None
    format: str | None = None
    baseline: str | None = None
    waivers: tuple[Waiver, ...] = ()
    names: tuple[Named, ...] = ()
