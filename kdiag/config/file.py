"""kdiag.toml, or [tool.kdiag] in pyproject.toml: defaults for options, and waivers.

    tool = ["bpftrace", "bcc"]       # as --tool: what the report is about, and has to work
    require = ["fentry", "tracepoint-*"]

    [profile.ours]                   # kdiag check --profile ours: what a project of its own requires
    capabilities = ["core-kprobe", "CAP_BPF"]
    maps = ["RINGBUF"]
    helpers = ["bpf_loop"]
    options = ["CONFIG_FPROBE"]

    [[waiver]]
    finding = "btf.modules"          # or: capability = "module-types"
    reason = "the lab's kernels have no modules"
    until = "2030-06-30"             # the last day it holds

Whatever is wrong is an error that names file and key: unknown keys and names, wrong types, expired waivers. Names
are looked up by `check_names`, since only the command knows which checks there are; and which formats.

Such a file can turn "not ready" into exit status 0, so it counts only if no user but root and the caller can have
written it or put it there (the reasoning of git's safe.directory); under sudo, the user who called sudo is another
user. What it can do is bounded: no option names a file to write or brings code in, and the verdict says which file
waived or required what.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.config.values import LONGEST, NAME, PYPROJECT, Config, ConfigError, Refused, TooLong
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from datetime import date

    from kdiag.checking.registry import Registry

_TABLE = re.compile(rb"^\s*\[+\s*tool\s*\.\s*[\"']?kdiag\b", re.MULTILINE)


def find(start: Path) -> Path | None:
    """The file that counts for a directory: its own, or that of a directory above it in the same repository.

    kdiag.toml comes before pyproject.toml. Without a `.git` above, only the directory itself is looked at: what
    other users put into /tmp or /home is none of a run below it. A directory that was deleted, or that this user cannot
    search, has no file.
    """
    try:
        start = start.absolute()
    except OSError:
        return None
    directories = [start, *start.parents]
    top = next((i for i, directory in enumerate(directories) if os.path.exists(directory / ".git")), 0)
    for directory in directories[: top + 1]:
        if os.path.isfile(directory / NAME):
            return directory / NAME
        if os.path.isfile(directory / PYPROJECT) and _has_table(directory / PYPROJECT):
            return directory / PYPROJECT
    return None


def _has_table(path: Path) -> bool:
    """Whether [tool.kdiag] is in it. Where the word is not, tomllib need not be imported; what cannot be read is
    no file of kdiag's.
    """
    from kdiag.trust import read

    try:
        start = read.head(str(path), LONGEST)
        if b"kdiag" not in start:
            return False
        from kdiag.config.reader import inner, parsed

        return inner(parsed(path), path) is not None
    except (Refused, TooLong):
        return _TABLE.search(start) is not None  # the caller of the table says so
    except (ConfigError, OSError):
        return False


def load(path: Path, today: date | None = None) -> Config:
    """Read a file; `today` (in UTC if not given) decides which waivers are over. Raises ConfigError."""
    from kdiag.config.reader import read

    return read(path, today)


def check_names(config: Config, registry: Registry | None) -> None:
    """Look up every capability, check and finding that the file names; without a registry those only that require none:
    all that a profile has. Raises ConfigError.
    """
    if not config.names:
        return
    # the table of capabilities is dear, and few files name any
    from kdiag.checking.selection import UnknownName, capabilities, choose, known_to_the_kernel, known_tool

    for named in config.names:
        if registry is None and named.kind in ("check", "finding"):
            continue
        try:
            if named.kind == "capability":
                capabilities([named.name])
            elif named.kind == "check" and registry is not None:
                choose(registry.checks, [named.name], [])
            elif named.kind == "tool":
                known_tool(named.name)
            elif named.kind in ("map", "program", "helper", "privilege"):
                known_to_the_kernel(named.kind, named.name)
            elif registry is not None:
                _known_finding(named.name, registry)
        except UnknownName as error:
            raise ConfigError(config.path, None, f"{named.place}: {error}") from None


def _known_finding(name: str, registry: Registry) -> None:
    from kdiag.checking.selection import UnknownName

    patterns = [i for found in registry.checks for i in (found.check.id, *found.check.finding_ids)]
    if not any(fnmatchcase(name, pattern) for pattern in patterns) and not name.startswith("plugin."):
        raise UnknownName(f"no check makes a finding {name!r}{did_you_mean(name, patterns)}")
