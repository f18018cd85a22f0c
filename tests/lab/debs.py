"""Debian packages without installing them: find, download, unpack, and what dpkg would note about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from . import tools
from .errors import LabError
from .mirror import Apt


def newest(names: Iterable[str]) -> str | None:
    """The name with the highest version, numbers compared as numbers; None if there is no name."""
    return max(names, key=version_key, default=None)


def version_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts 6.12.107 after 6.12.94."""
    parts = re.findall(r"\d+|\D+", name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def search(apt: Apt, pattern: str) -> list[str]:
    """Names of packages that a regular expression matches whole."""
    lines = apt.run("apt-cache", "search", "--names-only", f"^{pattern}$").splitlines()
    names = (line.split(" ")[0] for line in lines)
    return sorted(name for name in names if re.fullmatch(pattern, name))


def closure(apt: Apt, start: str, wanted: str) -> list[str]:
    """``start`` and the packages it depends on, over several steps, as far as their names match ``wanted``."""
    found, queue = [start], [start]
    while queue:
        shown = apt.run("apt-cache", "depends", "--no-recommends", "--no-suggests", queue.pop())
        for name in re.findall(r"^ *\|?Depends: ([a-z0-9][a-z0-9.+-]*)$", shown, re.MULTILINE):
            if name not in found and re.fullmatch(wanted, name):
                found.append(name)
                queue.append(name)
    return found


def download(apt: Apt, names: Iterable[str], place: Path) -> list[Path]:
    """Fetch packages into a directory; apt checks their signatures' chain and hashes."""
    place.mkdir(parents=True, exist_ok=True)
    before = set(place.glob("*.deb"))
    apt.run("apt-get", "download", "-q", *names, cwd=place)
    fetched = sorted(set(place.glob("*.deb")) - before)
    if not fetched:
        raise LabError("apt fetched nothing", "is the archive reachable? try: apt-get update")
    return fetched


def unpack(deb: Path, tree: Path) -> None:
    """Put a package's files into a tree; its scripts are not run."""
    tools.run(["dpkg-deb", "-x", str(deb), str(tree)])


def status(debs: Iterable[Path]) -> str:
    """What dpkg's status file would say of these packages, were they installed."""
    stanzas = []
    for deb in debs:
        control = tools.run(["dpkg-deb", "-f", str(deb)]).strip("\n")
        stanzas.append(
            re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok installed", control, count=1, flags=re.M)
        )
    return "".join(f"{stanza}\n\n" for stanza in stanzas)
