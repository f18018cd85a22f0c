"""What the configuration file says to a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.cli.common import fail
from kdiag.config.file import check_names, find, load
from kdiag.config.values import Config, ConfigError, Refused
from kdiag.console import output as console
from kdiag.report.formats import UnknownFormat, named

if TYPE_CHECKING:
    from kdiag.checking.registry import Registry
    from kdiag.model import Report


def color_of(asked: bool | None, settings: Config) -> bool | None:
    """Whether to use colours: as it was asked, else as the file says; None where neither does."""
    return settings.color if asked is None else asked


def settings_of(path: str) -> Config:
    """What the configuration file says; names of checks and capabilities are looked up once these are known."""
    settings = _loaded(path)
    try:
        if settings.format is not None:
            named(settings.format)
    except UnknownFormat as error:
        fail(f"{settings.path}: format: {error}")
    return settings


def _loaded(path: str) -> Config:
    try:
        if path == "auto":
            found = find(Path())
            try:
                return Config() if found is None else load(found)
            except Refused as refused:
                console.note(str(refused))
                return Config()
        if not path:
            return Config()
        return load(Path(path))
    except (ConfigError, OSError) as error:
        fail(str(error))


def look_up(settings: Config, known: Registry | None) -> None:
    """A usage error for a name in the file that nothing has."""
    try:
        check_names(settings, known)
    except ConfigError as error:
        fail(str(error))


def taken(settings: Config, **asked: Sequence[str]) -> list[str]:
    """Which options come from the file: those that it has, and that were not given."""
    return [key for key, given in asked.items() if getattr(settings, key) and not given]


def waived(report: Report, settings: Config, taken: Sequence[str]) -> Report:
    """The report with the waivers of the file, and with what it says of options that came from there."""
    if not settings.waivers and not taken:
        return report
    from kdiag.config.waivers import apply, told

    return told(apply(report, settings.waivers, settings.path), taken, settings.path)
