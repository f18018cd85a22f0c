"""Which packages the lists have that a package manager fetched: from what it says of names, without asking the network.

apt-cache policy, dnf --cacheonly repoquery and pacman --sync --info read what the last update left behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def apt(said: str, names: Iterable[str]) -> frozenset[str]:
    """Of `apt-cache policy NAME ...`: those with a candidate that a source has, and not only the installed one."""
    blocks = re.split(r"(?m)^(?=\S)", said)
    found = set()
    for block in blocks:
        name, _, rest = block.partition(":\n")
        if re.search(r"^ +-?\d+ (?!/)\S+ ", rest, re.MULTILINE):
            found.add(name)
    return frozenset(found & set(names))


def lines(said: str, names: Iterable[str]) -> frozenset[str]:
    """Of a command that prints one name a line, perhaps with more behind a blank."""
    return frozenset({line.split()[0] for line in said.splitlines() if line.strip()} & set(names))


def fields(said: str, names: Iterable[str]) -> frozenset[str]:
    """Of `pacman --sync --info NAME ...`: `Name            : linux-headers`."""
    return frozenset(re.findall(r"(?m)^Name\s*: (\S+)$", said)) & frozenset(names)
